/**
 * The log: one JSON object a line on standard error (pino), so that standard output stays the program's own.
 * Everything below main receives a `Log`; nothing else writes to the console.
 */
import pino from 'pino'

export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void
  info(message: string, fields?: Readonly<Record<string, unknown>>): void
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void
  error(message: string, fields?: Readonly<Record<string, unknown>>): void
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Synchronous on purpose: the last lines before a fail-stop must not be lost, and the hot path does not log. */
export function createLog(level: LogLevel, base: Readonly<Record<string, unknown>>): Log {
  const logger = pino({ level, base }, pino.destination({ dest: 2, sync: true }))
  return {
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
  }
}

/** For tests and the simulator: says nothing. */
export const NO_LOG: Log = { debug() {}, info() {}, warn() {}, error() {} }
