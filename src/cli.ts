#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { runCli } from './cli/program.ts'

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  now: () => Math.floor(Date.now() / 1000),
  readFile: (path) => readFileSync(path, 'utf8'),
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
})
