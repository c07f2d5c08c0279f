/**
 * The command line. Commands that run a node are given in by `main.ts`; the rest are calls to a running node's HTTP
 * API. Every command says what went wrong in one line on standard error and exits with a code of API.md.
 */
import { Command, InvalidArgumentError } from 'commander'
import { VERSION } from '../version.ts'
import { addMember, printStatus, removeMember } from './remote.ts'

export const EXIT_USAGE = 2

export interface Commands {
  runNode(options: { readonly config: string | undefined; readonly set: readonly string[]; readonly join: boolean }): Promise<void>
  runEmbedded(options: {
    readonly nodes: number
    readonly port: number
    readonly data: string
    readonly set: readonly string[]
  }): Promise<void>
}

const DEFAULT_URL = 'http://127.0.0.1:8080'

function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!Number.isInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}.`)
    return value
  }
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value]

export function createProgram(commands: Commands): Command {
  const program = new Command('tricord')
  program.description('Locks, queues and coherent caches on one replicated kernel').version(VERSION).showHelpAfterError()
  program.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE))

  program
    .command('node')
    .description('run one node of a cluster over NATS')
    .option('--config <file>', 'YAML file; config/default.yaml documents every setting')
    .option('--set <key.path=value>', 'override one setting (repeatable)', collect, [])
    .option('--join', 'become a member of a running cluster; cluster.peers names nodes to ask', false)
    .action((options: { config?: string; set: string[]; join: boolean }) =>
      commands.runNode({ config: options.config, set: options.set, join: options.join }),
    )

  program
    .command('dev')
    .description('run a whole cluster in this process: no NATS, nothing else to install')
    .option('--nodes <n>', 'how many nodes', whole(1, 7), 3)
    .option('--port <port>', 'HTTP port of n1; the others follow', whole(0, 65_535), 8080)
    .option('--data <directory>', 'where the data is kept', './data/dev')
    .option('--set <key.path=value>', 'override one setting on all nodes (repeatable)', collect, [])
    .action((options: { nodes: number; port: number; data: string; set: string[] }) => commands.runEmbedded(options))

  program
    .command('status')
    .description('show the cluster as one node sees it')
    .option('--url <url>', 'a node', DEFAULT_URL)
    .option('--json', 'the raw answer', false)
    .action(async (options: { url: string; json: boolean }) => printStatus(options.url, options.json))

  addMembers(program)
  return program
}

function addMembers(program: Command): void {
  const members = program.command('members').description('who belongs to the cluster')
  const url = ['--url <url>', 'a node', DEFAULT_URL] as const
  members
    .command('list')
    .description('the members and what they carry')
    .option(...url)
    .action(async (options: { url: string }) => printStatus(options.url, false))
  members
    .command('add <id>')
    .description('announce a node; it is taken in when it is started with --join')
    .option(...url)
    .action(async (id: string, options: { url: string }) => addMember(options.url, id))
  members
    .command('remove <id>')
    .description('have a node leave, dead or alive: what it holds moves to the others first')
    .option(...url)
    .action(async (id: string, options: { url: string }) => removeMember(options.url, id))
}
