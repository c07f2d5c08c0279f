/** The fields of a queue's commands, beyond those that all commands have. */
import { invalid, refuse } from '../base/refusal.ts'
import { CommandReader } from '../raft/command-reader.ts'
import { BODY_BYTES_MAX } from './message-body.ts'

/** What begins with U+FEFF is not JSON; a decoder else swallows it. */
const TEXT = new TextDecoder('utf-8', { ignoreBOM: true })

export class QueueCommandReader extends CommandReader {
  constructor(bytes: Uint8Array) {
    super(bytes, 'queue command')
  }

  /** JSON text, at most so many bytes of it. */
  json(path: string, bytesMax: number): string {
    const length = this.input.varint()
    const bytes = this.input.raw(length)
    if (length > bytesMax) {
      this.refuse(refuse('TOO_LARGE', `${path}: at most ${bytesMax} bytes of JSON`, { path, bytesMax }))
      return ''
    }
    const text = TEXT.decode(bytes)
    if (!isJson(text)) this.refuse(invalid(path, 'not JSON'))
    return text
  }

  body(path: string): Uint8Array {
    return this.bytes(path, BODY_BYTES_MAX)
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
