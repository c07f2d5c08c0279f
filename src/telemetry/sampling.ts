/**
 * Which traces are kept, by the standard variables. Of those that begin here most are not, so that is decided by one draw
 * before a span, a context or an id is made: some nanoseconds, where the SDK takes 500 to 1,000 to make what it then forgets.
 *
 *   a caller's traceparent?  yes: the SDK's sampler decides, with the caller's word
 *                            no:  drawn here; only what is kept reaches the SDK, whose sampler keeps it
 *
 * `traceidratio` (not parent-based) alone draws nothing: the SDK asks the trace id again at every span of it, which a draw
 * would contradict.
 */
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node'

type Environment = Readonly<Record<string, string | undefined>>

const RATIO_BY_DEFAULT = 0.01

export interface Sampling {
  /** The part, 0 to 1, of the traces beginning here that reaches the SDK. */
  readonly rootRatio: number
  readonly sampler: Sampler
  /** What cannot be meant in the variables, and what is done instead; null where nothing. */
  readonly problem: string | null
}

export function samplingOf(environment: Environment): Sampling {
  const name = environment['OTEL_TRACES_SAMPLER'] || 'parentbased_traceidratio'
  const { ratio, problem } = ratioOf(environment)
  const drawn = (rootRatio: number, more: string | null = null): Sampling => ({
    rootRatio,
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    problem: more,
  })
  if (name === 'parentbased_traceidratio') return drawn(ratio, problem)
  if (name === 'parentbased_always_on') return drawn(1)
  if (name === 'parentbased_always_off') return drawn(0)
  if (name === 'traceidratio') return { rootRatio: 1, sampler: new TraceIdRatioBasedSampler(ratio), problem }
  if (name === 'always_on') return { rootRatio: 1, sampler: new AlwaysOnSampler(), problem: null }
  if (name === 'always_off') return { rootRatio: 0, sampler: new AlwaysOffSampler(), problem: null }
  return drawn(RATIO_BY_DEFAULT, `OTEL_TRACES_SAMPLER=${name}: no such sampler; one trace in a hundred is kept`)
}

function ratioOf(environment: Environment): { ratio: number; problem: string | null } {
  const text = environment['OTEL_TRACES_SAMPLER_ARG']
  if (!text) return { ratio: RATIO_BY_DEFAULT, problem: null }
  const ratio = Number(text)
  if (ratio >= 0 && ratio <= 1) return { ratio, problem: null }
  return { ratio: RATIO_BY_DEFAULT, problem: `OTEL_TRACES_SAMPLER_ARG=${text}: not from 0 to 1; one trace in a hundred is kept` }
}
