/* conv2d: the output pixels of all images, as one matrix product whose left side is never made.

       y[n, p, q, o] = bias[o] + sum over i, j, c of
                       x[n, s p + d i - pad, s q + d j - pad, c] * w[o, c, i, j]

       row m = (n, p, q)    an output pixel            Y = A B      A[m, k] an element of x
       depth k = (i, j, c)  a kernel element                        B[k, o] an element of w
       column o             an output channel

                                 COLUMNS
                                +-------+
                                | tile  | DEPTH      Both tiles move along k, from 0 to K;
                                | of B  |            each is read from memory once a block,
                                +-------+            and from shared memory by many threads.
                        DEPTH
                     +---------+-------+
                     |         |       |
               ROWS  | tile    | block |             A block computes ROWS x COLUMNS outputs,
                     | of A    | of Y  |             a thread THREAD_ROWS x THREAD_COLUMNS of
                     |         |       |             them, in registers. A sum runs over k in
                     +---------+-------+             order, so its bits depend on no tile.

   Memory: x (N, H, W, C), w (O, C / G, kh, kw), y (N, P, Q, O). Channels lie side by side, so the
   threads of a warp read neighbours. Outside of x, and beyond the edges of the matrices, is zero.
   Grid: (row tiles, column tiles, groups).
*/

#define THREADS 128
#define BLOCKS (16 / sizeof(REAL))  // at once on a multiprocessor: enough registers for each
#define ROWS (16 * THREAD_ROWS)
#define COLUMNS (8 * THREAD_COLUMNS)
#define DEPTH 16

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
conv2d(const REAL* __restrict__ x, const REAL* __restrict__ weight, const REAL* __restrict__ bias,
       REAL* __restrict__ y, INDEX N, INDEX H, INDEX W, INDEX C, INDEX O, INDEX P, INDEX Q,
       INDEX kh, INDEX kw, INDEX stride_h, INDEX stride_w, INDEX pad_h, INDEX pad_w,
       INDEX dilation_h, INDEX dilation_w, INDEX G)
{
    __shared__ __align__(16) REAL a[DEPTH][ROWS + 4];     // + 4: fewer threads on one bank
    __shared__ __align__(16) REAL b[DEPTH][COLUMNS + 4];
    __shared__ INDEX first_h[ROWS], first_v[ROWS], first[ROWS];

    const int t = threadIdx.x;
    const INDEX in_group = C / G, out_group = O / G;
    const INDEX rows = N * P * Q, depth = kh * kw * in_group;
    const INDEX row0 = (INDEX)blockIdx.x * ROWS;
    const INDEX column0 = (INDEX)blockIdx.y * COLUMNS;
    const INDEX group = blockIdx.z;

    // 1. Where in x the window of each row begins; below H, where there is no such row.
    for (int r = t; r < ROWS; r += THREADS) {
        const INDEX m = row0 + r, q = m % Q, p = m / Q % P, n = m / Q / P;
        if (m < rows) {
            first_h[r] = stride_h * p - pad_h;
            first_v[r] = stride_w * q - pad_w;
            first[r] = ((n * H + first_h[r]) * W + first_v[r]) * C + group * in_group;
        } else
            first_h[r] = H;
    }
    __syncthreads();

    REAL sum[THREAD_ROWS][THREAD_COLUMNS] = {};
    const int across = t % 8 * THREAD_COLUMNS, down = t / 8 * THREAD_ROWS;  // this thread's part
    const int own = t % DEPTH;                                              // the k that it loads

    for (INDEX k0 = 0; k0 < depth; k0 += DEPTH) {
        // 2. Load both tiles.
        const INDEX k = k0 + own, c = k % in_group, j = k / in_group % kw, i = k / in_group / kw;
        const INDEX to_h = dilation_h * i, to_v = dilation_w * j, to = (to_h * W + to_v) * C + c;
        #pragma unroll
        for (int r = t / DEPTH; r < ROWS; r += THREADS / DEPTH) {
            const INDEX h = first_h[r] + to_h, v = first_v[r] + to_v;
            const bool inside = k < depth && 0 <= h && h < H && 0 <= v && v < W;
            a[own][r] = inside ? x[first[r] + to] : 0;
        }
        #pragma unroll
        for (int l = t / DEPTH; l < COLUMNS; l += THREADS / DEPTH) {
            const INDEX o = group * out_group + column0 + l;
            const bool inside = k < depth && column0 + l < out_group;
            b[own][l] = inside ? weight[((o * in_group + c) * kh + i) * kw + j] : 0;
        }
        __syncthreads();

        // 3. Multiply them.
        #pragma unroll
        for (int l = 0; l < DEPTH; l++)
            #pragma unroll
            for (int r = 0; r < THREAD_ROWS; r++)
                #pragma unroll
                for (int s = 0; s < THREAD_COLUMNS; s++)
                    sum[r][s] += a[l][down + r] * b[l][across + s];
        __syncthreads();
    }

    // 4. Add the bias, and store.
    #pragma unroll
    for (int r = 0; r < THREAD_ROWS; r++)
        #pragma unroll
        for (int s = 0; s < THREAD_COLUMNS; s++) {
            const INDEX m = row0 + down + r, o = group * out_group + column0 + across + s;
            if (m < rows && column0 + across + s < out_group)
                y[m * O + o] = sum[r][s] + (bias ? bias[o] : 0);
        }
}
