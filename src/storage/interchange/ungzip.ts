/** GZIP pages of Parquet files that other programs wrote; the output is bounded by its declared size. */

import { gunzipSync } from "fflate";
import { AppError } from "../../errors.ts";

/** Exactly `length` bytes; `corrupt_data` otherwise. */
export function ungzip(bytes: Uint8Array, length: number): Uint8Array {
  try {
    // A given output buffer is never grown: more data than declared throws.
    const out = gunzipSync(bytes, { out: new Uint8Array(length) });
    if (out.length === length) return out;
  } catch (cause) {
    throw new AppError("corrupt_data", "A GZIP page of the file is damaged.", { cause });
  }
  throw new AppError("corrupt_data", "A GZIP page of the file has another size than it says.");
}
