// SPDX-License-Identifier: GPL-2.0-only
// How a machine comes to run an image: the kernel that is there takes its modules, where it can, or it is booted.
import { HilError, InterruptedError } from '../errors.ts';
import type { BootRequest, Host, Machine } from '../hosts/host.ts';
import type { EventSink } from '../model/events.ts';

/**
 * @param from runs a kernel that may take the image's modules; what does not come about costs a boot, and nothing else
 * @throws as Host.boot()
 */
export async function takeOrBoot(
  host: Host,
  from: Machine | undefined,
  request: BootRequest,
  sink: EventSink,
): Promise<Machine> {
  try {
    const machine = await from?.next?.(request);
    if (machine !== undefined) return machine;
  } catch (error) {
    await from?.close();
    if (!(error instanceof HilError) || error instanceof InterruptedError) throw error;
    sink({ type: 'note', text: `${error.message}; the kernel is booted instead` });
  }
  return host.boot(request);
}
