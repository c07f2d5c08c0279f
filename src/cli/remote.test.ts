/** What a person is told where the other side is no node, or not well. */
import { type RequestListener, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { CallError, printStatus, removeMember } from './remote.ts'

let close: () => Promise<void> = async () => undefined
afterEach(() => close())

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  close = () => new Promise((resolve) => void server.close(() => resolve()).closeAllConnections())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const answering = (status: number, body: string) => serve((_, response) => void response.writeHead(status).end(body))

test.each([
  ['a page', 200, '<html>', /is no node of Tricord: it answers 200 and no JSON/],
  ['an error page', 502, '<html>', /is no node of Tricord: it answers 502 and no JSON/],
  ['other JSON', 200, '{"hello":1}', /is no node of Tricord/],
  ['null', 200, 'null', /is no node of Tricord/],
  ['nothing', 404, '', /is no node of Tricord: it answers 404/],
  ['a problem', 503, '{"code":"NO_QUORUM","detail":"no leader"}', /^503 NO_QUORUM: no leader$/],
])('the answer is %s', async (_, status, body, said) => {
  const failed = printStatus(await answering(status, body), false)
  await expect(failed).rejects.toThrow(said)
  await expect(failed).rejects.toBeInstanceOf(CallError)
})

test('the answer breaks off', async () => {
  const url = await serve((_, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{"nodes":')
    response.socket?.end()
  })
  await expect(removeMember(url, 'n1')).rejects.toThrow(/does not answer: /)
})

test('the address is none', async () => {
  await expect(printStatus('127.0.0.1', false)).rejects.toThrow('--url 127.0.0.1: expected an address like http://127.0.0.1:8080')
})
