/**
 * What tells a process from a later one that was given the same number: the boot of the machine, and when in it the process
 * began (Linux). After a power cut the numbers begin anew, so another program often has that of a node that was running.
 */
import { readFile } from 'node:fs/promises'

/** Of /proc/<pid>/stat behind the name in parentheses, which may hold anything: field 22 of the line, the time of the start. */
const START_TIME = 19

/** '' where there is no such process, or the system does not say. */
export async function markOf(pid: number): Promise<string> {
  try {
    const [boot, stat] = await Promise.all([readFile('/proc/sys/kernel/random/boot_id', 'latin1'), readFile(`/proc/${pid}/stat`, 'latin1')])
    const startedAt = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .at(START_TIME)
    return `${boot.trim()}:${startedAt}`
  } catch {
    return ''
  }
}
