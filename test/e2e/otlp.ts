/**
 * A sink for OTLP over HTTP, and a decoder of its own for what it gets: it knows protobuf's wire format and the few field
 * numbers of opentelemetry/proto/trace/v1, and shares no code with the exporter.
 */
import { once } from 'node:events'
import { type IncomingMessage, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  readonly name: string
  readonly startNs: bigint
  readonly endNs: bigint
  readonly attributes: Readonly<Record<string, string | number | boolean>>
  /** The spans that it links to, `trace-span` each. */
  readonly links: readonly string[]
  /** The node that exported it. */
  readonly instance: string
}

interface Field {
  readonly number: number
  readonly value: bigint
  readonly bytes: Buffer
}

/** The fields of one message, in order (protobuf wire format: varint, fixed64, length-delimited, fixed32). */
function* fields(message: Buffer): Generator<Field> {
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++] ?? 0
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const none = Buffer.alloc(0)
  while (at < message.length) {
    const tag = Number(varint())
    const number = tag >> 3
    if ((tag & 7) === 0) yield { number, value: varint(), bytes: none }
    else if ((tag & 7) === 1) yield { number, value: message.readBigUInt64LE((at += 8) - 8), bytes: none }
    else if ((tag & 7) === 5) yield { number, value: BigInt(message.readUInt32LE((at += 4) - 4)), bytes: none }
    else {
      const length = Number(varint())
      yield { number, value: 0n, bytes: message.subarray(at, (at += length)) }
    }
  }
}

const all = (message: Buffer, number: number): Buffer[] =>
  [...fields(message)].filter((field) => field.number === number).map(({ bytes }) => bytes)
const one = (message: Buffer, number: number): Field | undefined => [...fields(message)].find((field) => field.number === number)

/** AnyValue: string 1, bool 2, int 3, double 4. */
function anyValue(message: Buffer): string | number | boolean {
  const [field] = fields(message)
  if (!field) return ''
  if (field.number === 1) return field.bytes.toString()
  if (field.number === 2) return field.value !== 0n
  if (field.number === 3) return Number(BigInt.asIntN(64, field.value))
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(field.value)
  return bytes.readDoubleLE()
}

function attributes(message: Buffer, number: number): Record<string, string | number | boolean> {
  const pairs = all(message, number).map((pair) => [String(one(pair, 1)?.bytes), anyValue(one(pair, 2)?.bytes ?? Buffer.alloc(0))] as const)
  return Object.fromEntries(pairs)
}

/** ExportTraceServiceRequest -> spans. */
export function decodeTraces(request: Buffer): Span[] {
  const spans: Span[] = []
  for (const resourceSpans of all(request, 1)) {
    const resource = one(resourceSpans, 1)?.bytes ?? Buffer.alloc(0)
    const instance = String(attributes(resource, 1)['service.instance.id'])
    for (const scope of all(resourceSpans, 2)) for (const span of all(scope, 2)) spans.push(decodeSpan(span, instance))
  }
  return spans
}

function decodeSpan(span: Buffer, instance: string): Span {
  const hex = (number: number): string => one(span, number)?.bytes.toString('hex') ?? ''
  return {
    traceId: hex(1),
    spanId: hex(2),
    parentId: hex(4),
    name: String(one(span, 5)?.bytes),
    startNs: one(span, 7)?.value ?? 0n,
    endNs: one(span, 8)?.value ?? 0n,
    attributes: attributes(span, 9),
    links: all(span, 13).map((link) => `${one(link, 1)?.bytes.toString('hex')}-${one(link, 2)?.bytes.toString('hex')}`),
    instance,
  }
}

export interface OtlpSink {
  readonly url: string
  readonly spans: Span[]
  close(): Promise<void>
}

export async function startOtlpSink(): Promise<OtlpSink> {
  const spans: Span[] = []
  const server = createServer((request: IncomingMessage, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (request.url === '/v1/traces') spans.push(...decodeTraces(Buffer.concat(chunks)))
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  return { url: `http://127.0.0.1:${port}`, spans, close }
}
