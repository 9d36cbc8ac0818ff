/** A whole file in place of another: whoever reads it, also after a kill, meets one or the other. */

import { open, rename, rm } from "node:fs/promises";

/** `temporary` lies in the same folder and isn't there yet. Errors are Node's own. */
export async function replaceFile(
  temporary: string,
  target: string,
  bytes: Uint8Array,
): Promise<void> {
  try {
    const handle = await open(temporary, "wx");
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
