/** Sizes and progress lines of the set-up scripts, on standard error; plain lines when it is not a terminal. */

/** Decimal units as download pages use them: "22.9 MB". @param {number} bytes */
export function formatBytes(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(0)} KB`;
  if (bytes < 1e9) return `${(bytes / 1e6).toFixed(1)} MB`;
  return `${(bytes / 1e9).toFixed(2)} GB`;
}

/**
 * A progress line: redrawn in place on a terminal, one line per 10 % elsewhere.
 * @param {string} label @param {number} totalBytes
 * @param {NodeJS.WriteStream} [stream]
 */
export function createProgress(label, totalBytes, stream = process.stderr) {
  let shown = -1;
  let drawn = false;
  return {
    /** @param {number} doneBytes */
    update(doneBytes) {
      const percent = Math.floor((100 * doneBytes) / totalBytes);
      const step = stream.isTTY ? percent : Math.floor(percent / 10) * 10;
      if (step <= shown) return;
      shown = step;
      drawn = true;
      const line = `${label}  ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}  ${step} %`;
      stream.write(stream.isTTY ? `\r\u001b[2K${line}` : `${line}\n`);
    },
    end() {
      if (drawn && stream.isTTY) stream.write("\r\u001b[2K");
    },
  };
}
