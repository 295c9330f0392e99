/** The fixed upstream where nginx is missing. `node bench/support/fixed-server.ts PORT` */
import { createServer } from 'node:http'
import { ANSWERS, FIXED_ANSWER } from './fixed-answers.ts'

createServer((request, response) => {
  request.resume()
  const [path = ''] = (request.url ?? '').split('?', 1)
  const answer = ANSWERS[path] ?? FIXED_ANSWER
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(answer),
  })
  response.end(answer)
}).listen(Number(process.argv[2]), '127.0.0.1')
