/** What OpenAPI tells of caches: one entry per route, as `openapi.ts` has them for the rest. */
import {
  cacheAnswer,
  configuredAnswer,
  incrementedAnswer,
  invalidatedAnswer,
  lineAnswer,
  loadAnswer,
  mgetAnswer,
  mputAnswer,
  writtenAnswer,
} from './cache-answer-schemas.ts'
import { configBody, incrementBody, invalidateBody, loadBody, mgetBody, mputBody, putQuery } from './cache-schemas.ts'
import type { Operation } from './openapi.ts'

const ENTRY = '/v1/caches/{cache}/entries/{key}'
const READ_HEADERS = ['ETag', 'Tricord-Line', 'Tricord-Cache']
const UNCHANGED = { 304: { description: 'It is what If-None-Match names' } }

export const CACHE_OPERATIONS: readonly Operation[] = [
  {
    method: 'put',
    path: ENTRY,
    summary: 'Put a value, of any type and at most 1 MiB (201: there was none, 200: there was one)',
    tag: 'Caches',
    query: putQuery,
    headers: ['If-Match', 'If-None-Match'],
    rawBody: true,
    answer: writtenAnswer,
    answerHeaders: ['ETag'],
    created: true,
  },
  {
    method: 'get',
    path: ENTRY,
    summary: 'The value as it was put',
    tag: 'Caches',
    headers: ['If-None-Match'],
    rawAnswer: true,
    answerHeaders: READ_HEADERS,
    others: UNCHANGED,
  },
  {
    method: 'head',
    path: ENTRY,
    summary: 'What a GET would say, without the value',
    tag: 'Caches',
    headers: ['If-None-Match'],
    answerHeaders: READ_HEADERS,
    others: UNCHANGED,
  },
  { method: 'delete', path: ENTRY, summary: 'Delete an entry, there or not', tag: 'Caches', headers: ['If-Match'], success: 204 },
  {
    method: 'post',
    path: `${ENTRY}/incr`,
    summary: 'Add to a number, from 0 where there is none',
    tag: 'Caches',
    body: incrementBody,
    answer: incrementedAnswer,
    answerHeaders: ['ETag'],
  },
  {
    method: 'post',
    path: `${ENTRY}/load`,
    summary: 'The value, or the right to load it that nobody else has',
    tag: 'Caches',
    body: loadBody,
    rawAnswer: true,
    answerHeaders: [...READ_HEADERS, 'Tricord-Stale'],
    others: { 202: { description: 'You load it: put it with the token', answer: loadAnswer } },
  },
  {
    method: 'post',
    path: '/v1/caches/{cache}:mget',
    summary: 'Several values at once',
    tag: 'Caches',
    body: mgetBody,
    answer: mgetAnswer,
  },
  {
    method: 'post',
    path: '/v1/caches/{cache}:mput',
    summary: 'Put several values, each by itself',
    tag: 'Caches',
    body: mputBody,
    answer: mputAnswer,
  },
  {
    method: 'post',
    path: '/v1/caches/{cache}:invalidate',
    summary: 'Drop keys, or all that have a prefix or one of some tags, or everything',
    tag: 'Caches',
    body: invalidateBody,
    answer: invalidatedAnswer,
  },
  {
    method: 'put',
    path: '/v1/caches/{cache}',
    summary: 'Create a cache (201), or change what is named of it (200)',
    tag: 'Caches',
    body: configBody,
    answer: configuredAnswer,
    created: true,
  },
  {
    method: 'get',
    path: '/v1/caches/{cache}',
    summary: 'How much it holds, how often it hits, its settings',
    tag: 'Caches',
    answer: cacheAnswer,
  },
  {
    method: 'get',
    path: '/v1/caches/{cache}/lines/{key}',
    summary: 'Which node holds a copy of a key, and what was invalidated last',
    tag: 'Caches',
    answer: lineAnswer,
  },
]
