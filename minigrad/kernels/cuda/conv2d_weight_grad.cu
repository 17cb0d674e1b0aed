/* conv2d_weight_grad: the gradient of the weight, as one matrix product cut into parts.

       dw[o, c, i, j] = sum over n, p, q of
                        y[n, p, q, o] * x[n, s p + d i - pad, s q + d j - pad, c]

       row r = (i, j, c)    a kernel element           dW = A^T Y   A[m, r] an element of x
       depth m = (n, p, q)  an output pixel                         Y[m, o] an element of y
       column o             an output channel

                                       COLUMNS
                                      +-------+
                                      | tile  | DEPTH     Rows and columns are few, pixels many:
                                      | of Y  |           so the sum over m is cut into parts,
                                      +-------+           which different blocks add up,
                              DEPTH                       each in the order of m.
                           +---------+-------+
                           | tile of | block |
                     ROWS  | A,      | of    |
                           | on its  | dW    |            sums.cu adds the parts, in their order:
                           | side    |       |            so the same bits come out every time.
                           +---------+-------+

             m:  |-- part 0 --|-- part 1 --|-- part 2 --|- -

   Memory: x (N, H, W, C), y (N, P, Q, O), result (parts, O, C / G, kh, kw).
   Grid: (row tiles, column tiles, groups * parts).
*/

#define THREADS 128
#define BLOCKS (16 / sizeof(REAL))  // at once on a multiprocessor: enough registers for each
#define ROWS (16 * THREAD_ROWS)
#define COLUMNS (8 * THREAD_COLUMNS)
#define DEPTH 16

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
conv2d_weight_grad(const REAL* __restrict__ x, const REAL* __restrict__ y,
                   REAL* __restrict__ result,
                   INDEX N, INDEX H, INDEX W, INDEX C, INDEX O, INDEX P, INDEX Q,
                   INDEX kh, INDEX kw, INDEX stride_h, INDEX stride_w, INDEX pad_h, INDEX pad_w,
                   INDEX dilation_h, INDEX dilation_w, INDEX G, INDEX parts, INDEX pixels_each)
{
    __shared__ __align__(16) REAL a[DEPTH][ROWS + 4];
    __shared__ __align__(16) REAL b[DEPTH][COLUMNS + 4];
    __shared__ INDEX first_h[DEPTH], first_v[DEPTH], first[DEPTH];

    const int t = threadIdx.x;
    const INDEX in_group = C / G, out_group = O / G, rows = kh * kw * in_group;
    const INDEX row0 = (INDEX)blockIdx.x * ROWS;
    const INDEX column0 = (INDEX)blockIdx.y * COLUMNS;
    const INDEX part = blockIdx.z % parts, group = blockIdx.z / parts;
    const INDEX begin = part * pixels_each, pixels = N * P * Q;
    const INDEX end = pixels - begin < pixels_each ? pixels : begin + pixels_each;

    // 1. The kernel element that this thread loads, always the same.
    const INDEX row = row0 + t % ROWS, c = row % in_group;
    const INDEX to_h = dilation_h * (row / in_group / kw), to_v = dilation_w * (row / in_group % kw);
    const INDEX to = (to_h * W + to_v) * C + c;

    REAL sum[THREAD_ROWS][THREAD_COLUMNS] = {};
    const int across = t % 8 * THREAD_COLUMNS, down = t / 8 * THREAD_ROWS;  // this thread's part

    for (INDEX m0 = begin; m0 < end; m0 += DEPTH) {
        // 2. Where in x the windows of these pixels begin; below H, where there is no pixel.
        if (t < DEPTH) {
            const INDEX m = m0 + t, q = m % Q, p = m / Q % P, n = m / Q / P;
            if (m < end) {
                first_h[t] = stride_h * p - pad_h;
                first_v[t] = stride_w * q - pad_w;
                first[t] = ((n * H + first_h[t]) * W + first_v[t]) * C + group * in_group;
            } else
                first_h[t] = H;
        }
        __syncthreads();  // and everybody has multiplied the tiles before

        // 3. Load both tiles.
        #pragma unroll
        for (int l = t / ROWS; l < DEPTH; l += THREADS / ROWS) {
            const INDEX h = first_h[l] + to_h, v = first_v[l] + to_v;
            const bool inside = 0 <= h && h < H && 0 <= v && v < W;
            a[l][t % ROWS] = inside ? x[first[l] + to] : 0;
        }
        #pragma unroll
        for (int l = t / COLUMNS; l < DEPTH; l += THREADS / COLUMNS) {
            const INDEX m = m0 + l, column = column0 + t % COLUMNS;
            const bool inside = m < end && column < out_group;
            b[l][t % COLUMNS] = inside ? y[m * O + group * out_group + column] : 0;
        }
        __syncthreads();

        // 4. Multiply them.
        #pragma unroll
        for (int l = 0; l < DEPTH; l++)
            #pragma unroll
            for (int r = 0; r < THREAD_ROWS; r++)
                #pragma unroll
                for (int s = 0; s < THREAD_COLUMNS; s++)
                    sum[r][s] += a[l][down + r] * b[l][across + s];
    }

    // 5. Store this part, in the order of the weight.
    #pragma unroll
    for (int r = 0; r < THREAD_ROWS; r++) {
        const INDEX m = row0 + down + r;
        const INDEX channel = m % in_group, j = m / in_group % kw, i = m / in_group / kw;
        #pragma unroll
        for (int s = 0; s < THREAD_COLUMNS; s++) {
            const INDEX column = column0 + across + s, o = group * out_group + column;
            if (m < rows && column < out_group)
                result[(((part * O + o) * in_group + channel) * kh + i) * kw + j] = sum[r][s];
        }
    }
}
