/** The fixed upstream where nginx is missing. `node bench/support/fixed-server.ts PORT` */
import { createServer } from 'node:http'
import { FIXED_ANSWER } from './fixed-upstream.ts'

createServer((request, response) => {
  request.resume()
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(FIXED_ANSWER),
  })
  response.end(FIXED_ANSWER)
}).listen(Number(process.argv[2]), '127.0.0.1')
