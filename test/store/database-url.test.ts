import { describe, expect, it } from 'vitest'
import { parseDatabaseUrl } from '../../src/store/database-url.ts'

describe('a database URL', () => {
  it.each([
    ['sqlite:./gateway.db', { kind: 'sqlite', path: './gateway.db' }],
    ['sqlite:/var/lib/gateway.db', { kind: 'sqlite', path: '/var/lib/gateway.db' }],
    [
      'postgres://gw:s3cret@db.example/mlflow',
      {
        host: 'db.example',
        port: 5432,
        user: 'gw',
        password: 's3cret',
        database: 'mlflow',
        sslMode: 'verify-full',
      },
    ],
    [
      'postgresql://gw@db.example:6432/mlflow?sslmode=require',
      { port: 6432, password: undefined, sslMode: 'require' },
    ],
    ['postgres://gw@127.0.0.1/mlflow', { host: '127.0.0.1', sslMode: 'disable' }],
    ['postgres://gw@[::1]/mlflow', { host: '::1', sslMode: 'disable' }],
    ['postgres://gw@[fd00::7]/mlflow', { host: 'fd00::7', sslMode: 'verify-full' }],
    ['postgres://gw@127.0.0.1/mlflow?sslmode=verify-ca', { sslMode: 'verify-ca' }],
    ['postgres://gw:a%40b%2Fc%23@db/m%20l', { host: 'db', password: 'a@b/c#', database: 'm l' }],
    ['postgres://gw@localhost/mlflow?host=/run/postgresql', { host: '/run/postgresql', sslMode: 'disable' }],
    ['postgres://gw@127.evil.example/mlflow', { sslMode: 'verify-full' }],
  ])('%s', (url, expected) => {
    expect(parseDatabaseUrl(url)).toMatchObject(expected)
  })

  it.each([
    ['mysql://gw@db/mlflow', 'not of the form'],
    ['sqlite:', 'not of the form'],
    ['sqlite://gateway.db', 'not of the form'],
    ['sqlite:///tmp/gateway.db', 'not of the form'],
    ['sqlite::memory:', 'not of the form'],
    ['postgres://gw:s3/cret@db/mlflow', 'percent-encoded'],
    ['postgres://gw:s3#cret@db/mlflow', 'percent-encoded'],
    ['postgres://gw:s3%cret@db/mlflow', '%25'],
    ['postgres://db/mlflow', 'no host, user or database'],
    ['postgres://gw@db', 'no host, user or database'],
    ['postgres:///mlflow', 'no host, user or database'],
    ['postgres://gw@db/mlflow?sslmode=prefer', 'verify-full'],
    ['postgres://gw@db/mlflow?sslmode=', 'verify-full'],
    ['postgres://gw@db/mlflow?sslmode=require&sslmode=verify-full', 'repeated'],
    ['postgres://gw@db/mlflow?sslrootcert=/ca.pem', 'DATABASE_CA_FILE'],
    ['postgres://gw@db/mlflow?options=-c%20search_path=x', 'not known here'],
    ['postgres://gw@db/mlflow?host=other.example', 'no folder'],
  ])('%s is refused with what to do, and without repeating it', (url, remedy) => {
    expect(() => parseDatabaseUrl(url)).toThrow(remedy)
    expect(() => parseDatabaseUrl(url)).not.toThrow(/s3|cret|mlflow/)
  })
})
