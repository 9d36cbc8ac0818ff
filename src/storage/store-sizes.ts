/** Sizes of an open store, counted from its files. */

import type { FileStore } from "../ports/file-store.ts";
import type { StoreSizes } from "./memory-store.ts";
import { DERIVED_PREFIX } from "./store-core.ts";

export async function measureStore(files: FileStore): Promise<StoreSizes> {
  const sizes = { segmentCount: 0, journalBytes: 0, segmentBytes: 0, indexBytes: 0, totalBytes: 0 };
  for (const { path, sizeBytes } of await files.list()) {
    sizes.totalBytes += sizeBytes;
    if (path.startsWith("journal-")) sizes.journalBytes += sizeBytes;
    else if (path.startsWith(DERIVED_PREFIX)) sizes.indexBytes += sizeBytes;
    else if (path.startsWith("prime-")) sizes.segmentBytes += sizeBytes;
    else if (path.startsWith("segments/")) {
      sizes.segmentBytes += sizeBytes;
      sizes.segmentCount++;
    }
  }
  return sizes;
}
