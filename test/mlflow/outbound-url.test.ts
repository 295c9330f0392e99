import { describe, expect, it } from 'vitest'
import { faultOfUrl } from '../../src/mlflow/outbound-url.ts'

const PRIVATE = 'leads into a private network; WEBHOOK_ALLOWED_HOSTS can allow its host'
const UNUSUAL = 'names its host in an unusual way'
const UNREADABLE = 'is not one that everybody reads alike'
const UNLISTED = 'leads to a host that is not in WEBHOOK_ALLOWED_HOSTS'

describe('a URL that MLflow is to call, without a list', () => {
  it.each([
    'https://hooks.example.com/services/T0/B0?token=x',
    'https://hooks.example.com',
    'https://HOOKS.example.com:8443/a',
    'http://hooks.example.com/',
    'https://8.8.8.8/',
    'https://[2606:4700:4700::1111]/',
    'https://internal.example.com/',
    'https://hooks.example.com/@169.254.169.254/',
    'https://localhost.example.com/',
  ])('%s may be called', (url) => {
    expect(faultOfUrl(url, [])).toBeUndefined()
  })

  it.each([
    ['http://169.254.169.254/', PRIVATE],
    ['http://169.254.169.254/latest/meta-data/', PRIVATE],
    ['https://127.0.0.1/', PRIVATE],
    ['https://127.8.8.8/', PRIVATE],
    ['https://0.0.0.0/', PRIVATE],
    ['https://10.0.0.1/', PRIVATE],
    ['https://172.16.0.1/', PRIVATE],
    ['https://172.31.255.255/', PRIVATE],
    ['https://192.168.1.1/', PRIVATE],
    ['https://100.64.0.1/', PRIVATE],
    ['https://198.19.0.1/', PRIVATE],
    ['https://224.0.0.1/', PRIVATE],
    ['https://255.255.255.255/', PRIVATE],
    ['https://localhost/', PRIVATE],
    ['https://LOCALHOST:5000/', PRIVATE],
    ['https://a.localhost/', PRIVATE],
    ['https://mlflow/', PRIVATE],
    ['https://redis:6379/', PRIVATE],
    ['https://metadata.google.internal/computeMetadata/v1/', PRIVATE],
    ['https://printer.local/', PRIVATE],
    ['https://localhost./', PRIVATE],
    ['https://hooks.example.com./', PRIVATE],
    ['https://[::1]/', PRIVATE],
    ['https://[::]/', PRIVATE],
    ['https://[fd00::1]/', PRIVATE],
    ['https://[fe80::1]/', PRIVATE],
    ['https://[::ffff:169.254.169.254]/', PRIVATE],
    ['https://[::ffff:a9fe:a9fe]/', PRIVATE],
    ['https://[::169.254.169.254]/', PRIVATE],
    ['https://[64:ff9b::a9fe:a9fe]/', PRIVATE],
    ['https://[2002:a9fe:a9fe::]/', PRIVATE],
    ['https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/', PRIVATE],
    ['https://2852039166/', UNUSUAL],
    ['https://0xa9fea9fe/', UNUSUAL],
    ['https://0xa9.0xfe.0xa9.0xfe/', UNUSUAL],
    ['https://0251.0376.0251.0376/', UNUSUAL],
    ['https://169.254.43518/', UNUSUAL],
    ['https://127.1/', UNUSUAL],
    ['https://0/', UNUSUAL],
    ['https://127.0.0.1./', UNUSUAL],
    ['https://127.0.0.01/', UNUSUAL],
    ['https://1.2.3.256/', UNREADABLE],
    ['https://hooks.example.com@169.254.169.254/', UNREADABLE],
    ['https://user:secret@hooks.example.com/', UNREADABLE],
    ['https://hooks.example.com\\@169.254.169.254/', UNREADABLE],
    ['https://hooks.example.com/\\..', UNREADABLE],
    ['https://hooks.example.com#@169.254.169.254/', UNREADABLE],
    ['https://hooks.example.com?@169.254.169.254/', UNREADABLE],
    ['https:///169.254.169.254/', UNREADABLE],
    ['https:169.254.169.254', UNREADABLE],
    ['//169.254.169.254/', UNREADABLE],
    [' https://hooks.example.com/', UNREADABLE],
    ['https://hooks.example.com/\n', UNREADABLE],
    ['https://hooks.exa\tmple.com/', UNREADABLE],
    ['https://hooks%2eexample.com/', UNREADABLE],
    ['https://①②⑦.0.0.1/', UNREADABLE],
    ['https://169。254。169。254/', UNREADABLE],
    ['https://[fe80::1%25eth0]/', UNREADABLE],
    ['https://[::1]:99999/', UNREADABLE],
    ['ftp://hooks.example.com/', UNREADABLE],
    ['file:///etc/passwd', UNREADABLE],
    ['gopher://127.0.0.1:6379/_', UNREADABLE],
    ['', UNREADABLE],
  ])('%j may not', (url, fault) => {
    expect(faultOfUrl(url, [])).toBe(fault)
  })
})

describe('with a list of hosts', () => {
  const ALLOWED = ['hooks.example.com', 'ci.internal:8443', '10.0.0.5', '[fd00::5]']

  it.each([
    'https://hooks.example.com/x',
    'https://Hooks.Example.COM:9000/x',
    'https://ci.internal:8443/',
    'https://10.0.0.5/',
    'https://[fd00::5]/',
    'https://[fd00:0:0::5]:444/',
  ])('%s may be called', (url) => {
    expect(faultOfUrl(url, ALLOWED)).toBeUndefined()
  })

  it.each([
    ['http://hooks.example.com/', 'is not https'],
    ['https://other.example.com/', UNLISTED],
    ['https://hooks.example.com.evil.example/', UNLISTED],
    ['https://evil-hooks.example.com/', UNLISTED],
    ['https://ci.internal/', UNLISTED],
    ['https://ci.internal:443/', UNLISTED],
    ['https://8.8.8.8/', UNLISTED],
    ['https://169.254.169.254/', UNLISTED],
    ['https://167772165/', UNUSUAL],
    ['https://hooks.example.com@10.0.0.6/', UNREADABLE],
  ])('%s may not', (url, fault) => {
    expect(faultOfUrl(url, ALLOWED)).toBe(fault)
  })
})
