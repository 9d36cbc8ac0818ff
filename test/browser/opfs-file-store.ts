/** The file-store contract over OPFS; a Playwright test runs it in a worker of a real browser. */

import { OpfsFileStore } from "../../src/platform/browser/opfs-file-store.ts";
import { runFileStoreContract, type ContractReport } from "../contract/file-store.ts";

export async function runOpfsFileStoreContract(): Promise<ContractReport> {
  const run = crypto.randomUUID();
  return runFileStoreContract((folder) => OpfsFileStore.open(`contract-${run}-${folder}`));
}
