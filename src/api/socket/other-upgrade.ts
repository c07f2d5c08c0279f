/**
 * Upgrades to something else. Some clients offer HTTP/2 with every request (`Upgrade: h2c`) and mean the request: a server
 * may ignore the offer (RFC 9110, 7.8). Node gives all of them to the listener of `upgrade`, so the request goes back to
 * the front of its socket, without the offer, and the socket back to the server.
 */
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'

const OFFER: ReadonlySet<string> = new Set(['upgrade', 'connection', 'http2-settings'])

export function isWebSocket(request: IncomingMessage): boolean {
  return request.headers.upgrade?.toLowerCase() === 'websocket'
}

export function ignoreUpgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders, headers } = request
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (!OFFER.has(rawHeaders[i]?.toLowerCase() ?? '')) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`)
  }
  if (/\bclose\b/i.test(headers.connection ?? '')) lines.push('Connection: close')
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
  server.emit('connection', socket)
}
