/** Dot products of a float32 query with `count` rows, four lanes at a time: the plain scan that the others are compared with. */
export function dots(query: usize, rows: usize, count: u32, dimensions: u32, out: usize): void {
  const rowBytes = (<usize>dimensions) << 2;
  for (let i: u32 = 0; i < count; i++, rows += rowBytes) {
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    for (let at: usize = 0; at < rowBytes; at += 32) {
      a = f32x4.add(a, f32x4.mul(v128.load(rows + at), v128.load(query + at)));
      b = f32x4.add(b, f32x4.mul(v128.load(rows + at, 16), v128.load(query + at, 16)));
    }
    const sum = f32x4.add(a, b);
    store<f32>(
      out + ((<usize>i) << 2),
      f32x4.extract_lane(sum, 0) +
        f32x4.extract_lane(sum, 1) +
        f32x4.extract_lane(sum, 2) +
        f32x4.extract_lane(sum, 3),
    );
  }
}
