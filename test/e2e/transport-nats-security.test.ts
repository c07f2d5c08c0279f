/** Who may connect, and how: passwords, tokens, nkeys, TLS both ways, several servers; and what is said to those who may not. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type NatsOptions, NatsOptionsError, type NatsTransport, NatsUnavailableError, connectNats } from '../../src/io/transport-nats.ts'
import { type NatsServer, startNatsServer } from '../nats-server.ts'

const NONE = { user: '', password: '', token: '', credentialsFile: '', tls: { caFile: '', certFile: '', keyFile: '' } }
/** A key pair made for this test: the seed and its public half. */
const NKEY_SEED = 'SUAB3MANKGDDQOQGOAJ6AJSAHOIBI2C4AIMHZWJGQGTFX4F2J7JFT52KBA'
const NKEY_PUBLIC = 'UDBCVB5EVVRM7GBXM62JABGPMTJMTHPWFM4WKBT7XWY64TEZY6P7X6QH'

let directory: string
const servers: NatsServer[] = []
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tricord-nats-'))
})
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()))
  rmSync(directory, { recursive: true, force: true })
})

async function serve(...args: string[]): Promise<NatsServer> {
  const server = await startNatsServer(args)
  servers.push(server)
  return server
}

function connectTo(urls: readonly string[], options: Partial<NatsOptions>, node = 'n1'): Promise<NatsTransport> {
  return connectNats('test', node, 1, { ...NONE, ...options, servers: urls })
}

/** Two nodes with these options hear each other. */
async function expectTalk(url: string, options: Partial<NatsOptions>): Promise<void> {
  const [a, b] = [await connectTo([url], options, 'a'), await connectTo([url], options, 'b')]
  const heard: string[] = []
  b.listen({ onFrame: (frame) => heard.push(new TextDecoder().decode(frame)), onConnection: () => undefined })
  await expect.poll(() => (a.send('b', 1, new TextEncoder().encode('hello')), heard[0])).toBe('hello')
  await Promise.all([a.close(), b.close()])
}

const refused = (url: string, options: Partial<NatsOptions>) => expect(connectTo([url], options)).rejects.toThrow(NatsUnavailableError)

test.each(['', 'nats://', 'two words', 'nats://host:port'])('%j is no address of a server', async (url) => {
  await expect(connectTo(['nats://127.0.0.1:4222', url], {})).rejects.toThrow(NatsOptionsError)
})

describe('credentials', () => {
  test('user and password', async () => {
    const { url } = await serve('--user', 'tricord', '--pass', 'right')
    await expectTalk(url, { user: 'tricord', password: 'right' })
    await refused(url, { user: 'tricord', password: 'wrong' })
    await refused(url, {})
  })

  test('a token', async () => {
    const { url } = await serve('--auth', 'secret')
    await expectTalk(url, { token: 'secret' })
    await refused(url, { token: 'guess' })
  })

  test('the seed of an nkey, from a file', async () => {
    const config = join(directory, 'nkey.conf')
    writeFileSync(config, `authorization { users: [ { nkey: ${NKEY_PUBLIC} } ] }`)
    const { url } = await serve('-c', config)
    const credentialsFile = join(directory, 'seed')
    writeFileSync(credentialsFile, `${NKEY_SEED}\n`)
    await expectTalk(url, { credentialsFile })
    await refused(url, {})
  })
})

describe('TLS', () => {
  const path = (name: string): string => join(directory, name)
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore', cwd: directory })

  /** A certificate for that address, signed by the authority of that name. */
  function certify(name: string, authority: string, address = '127.0.0.1'): void {
    writeFileSync(path(`${name}.ext`), `subjectAltName=IP:${address}\n`)
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      `${authority}.crt`,
      '-CAkey',
      `${authority}.key`,
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.crt`,
    )
  }
  function authority(name: string): void {
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.crt`,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    )
  }

  test('both ways: a server of another authority and a client without a certificate are refused', async () => {
    authority('ca')
    authority('other')
    certify('server', 'ca')
    certify('client', 'ca')
    const { url } = await serve(
      '--tlsverify',
      '--tlscert',
      path('server.crt'),
      '--tlskey',
      path('server.key'),
      '--tlscacert',
      path('ca.crt'),
    )
    const tls = { caFile: path('ca.crt'), certFile: path('client.crt'), keyFile: path('client.key') }
    await expectTalk(url, { tls })
    await refused(url, { tls: { ...tls, caFile: path('other.crt') } })
    await refused(url, { tls: { ...tls, certFile: '', keyFile: '' } })
    certify('elsewhere', 'ca', '10.9.9.9')
    const elsewhere = await serve('--tls', '--tlscert', path('elsewhere.crt'), '--tlskey', path('elsewhere.key'))
    await refused(elsewhere.url, { tls })
    await expect(connectTo([url], { tls: { ...tls, caFile: path('nowhere.crt') } })).rejects.toThrow(NatsOptionsError)
    await refused(url, {})
  })
})

describe('several servers', () => {
  test('the first is dead: the second is taken; when that dies too, what comes up at the first', async () => {
    const [first, second] = [await serve(), await serve()]
    await first.signal('SIGKILL')
    const node = await connectTo([first.url, second.url], {})
    const seen: boolean[] = []
    node.listen({ onFrame: () => undefined, onConnection: (connected) => seen.push(connected) })
    expect(node.connected).toBe(true)
    await second.signal('SIGKILL')
    await expect.poll(() => seen).toEqual([false])
    await first.restart()
    await expect.poll(() => seen, { timeout: 10_000 }).toEqual([false, true])
    await node.close()
  })
})
