/* conv_transpose2d: the input pixels of all images, phase by phase, as matrix products.

       x[n, h, v, c] = bias[c] + sum over i, j, o of
                       y[n, (h + pad - d i) / s, (v + pad - d j) / s, o] * w[o, c, i, j]

                       where both divisions leave no remainder, and y has that pixel

   Which kernel rows i leave no remainder depends on h modulo s alone: so the rows of one phase,
   h = a + s u, share theirs, and columns likewise. A block computes pixels of one phase, and no
   kernel element is tried that does not meet them. With s = 2 and a kernel of 4 x 4:

        v  0 1 2 3 4 5
      h 0  A B A B A B        phase A = (0, 0)    4 of the 16 kernel elements
        1  C D C D C D        phase B = (0, 1)    4 others
        2  A B A B A B        phase C = (1, 0)    4 others
        3  C D C D C D        phase D = (1, 1)    the last 4

       row m = (n, u, v')    a pixel of the phase        X = A B    A[m, k] an element of y
       depth k = (i', j', o) a kernel element of it                 B[k, c] an element of w
       column c              a channel of x

                                 COLUMNS
                                +-------+
                                | tile  | DEPTH      As in conv2d.cu: both tiles move along k;
                                | of B  |            a thread computes THREAD_ROWS x
                                +-------+            THREAD_COLUMNS pixels, in registers.
                        DEPTH
                     +---------+-------+
               ROWS  | tile    | block |
                     | of A    | of X  |
                     +---------+-------+

   Memory: y (N, P, Q, O), w (O, C / G, kh, kw), x (N, H, W, C).
   Grid: (row tiles of a phase, column tiles, groups * phases).
*/

#define THREADS 128
#define BLOCKS (16 / sizeof(REAL))  // at once on a multiprocessor: enough registers for each
#define ROWS (16 * THREAD_ROWS)
#define COLUMNS (8 * THREAD_COLUMNS)
#define DEPTH 16

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
conv_transpose2d(const REAL* __restrict__ y, const REAL* __restrict__ weight,
                 const REAL* __restrict__ bias, REAL* __restrict__ x,
                 INDEX N, INDEX H, INDEX W, INDEX C, INDEX O, INDEX P, INDEX Q,
                 INDEX kh, INDEX kw, INDEX stride_h, INDEX stride_w, INDEX pad_h, INDEX pad_w,
                 INDEX dilation_h, INDEX dilation_w, INDEX G)
{
    __shared__ __align__(16) REAL a[DEPTH][ROWS + 4];     // + 4: fewer threads on one bank
    __shared__ __align__(16) REAL b[DEPTH][COLUMNS + 4];
    __shared__ INDEX first_p[ROWS], first_q[ROWS], first[ROWS];

    const int t = threadIdx.x;
    const INDEX in_group = C / G, out_group = O / G;
    const INDEX phase_w = blockIdx.z % stride_w, phase_h = blockIdx.z / stride_w % stride_h;
    const INDEX group = blockIdx.z / stride_w / stride_h;
    const INDEX height = (H - 1) / stride_h + 1, width = (W - 1) / stride_w + 1;
    const INDEX rows = N * height * width;
    const INDEX row0 = (INDEX)blockIdx.x * ROWS;
    const INDEX column0 = (INDEX)blockIdx.y * COLUMNS;

    // 1. The phase's kernel rows: i0, i0 + every_h, ..., count_h of them, and columns likewise.
    INDEX every_h = 1, every_w = 1, i0 = 0, j0 = 0;
    while (dilation_h * every_h % stride_h) every_h++;
    while (dilation_w * every_w % stride_w) every_w++;
    while (i0 < every_h && (phase_h + pad_h - dilation_h * i0) % stride_h) i0++;
    while (j0 < every_w && (phase_w + pad_w - dilation_w * j0) % stride_w) j0++;
    const INDEX count_h = i0 < every_h && i0 < kh ? (kh - 1 - i0) / every_h + 1 : (INDEX)0;
    const INDEX count_w = j0 < every_w && j0 < kw ? (kw - 1 - j0) / every_w + 1 : (INDEX)0;
    const INDEX depth = count_h * count_w * out_group;

    // 2. Which pixel of y meets each row by the first of them; below P, where there is no row.
    for (int r = t; r < ROWS; r += THREADS) {
        const INDEX m = row0 + r, v = m % width, u = m / width % height, n = m / width / height;
        if (m < rows) {
            first_p[r] = u + (phase_h + pad_h - dilation_h * i0) / stride_h;
            first_q[r] = v + (phase_w + pad_w - dilation_w * j0) / stride_w;
            first[r] = ((n * P + first_p[r]) * Q + first_q[r]) * O + group * out_group;
        } else
            first_p[r] = -1;
    }
    __syncthreads();
    const INDEX back_p = dilation_h * every_h / stride_h;  // from one kernel row to the next
    const INDEX back_q = dilation_w * every_w / stride_w;

    REAL sum[THREAD_ROWS][THREAD_COLUMNS] = {};
    const int across = t % 8 * THREAD_COLUMNS, down = t / 8 * THREAD_ROWS;  // this thread's part
    const int own = t % DEPTH;                                              // the k that it loads

    for (INDEX k0 = 0; k0 < depth; k0 += DEPTH) {
        // 3. Load both tiles.
        const INDEX k = k0 + own, o = k % out_group;
        const INDEX nth_w = k / out_group % count_w, nth_h = k / out_group / count_w;
        const INDEX up = back_p * nth_h, left = back_q * nth_w, to = o - (up * Q + left) * O;
        #pragma unroll
        for (int r = t / DEPTH; r < ROWS; r += THREADS / DEPTH) {
            const INDEX p = first_p[r] - up, q = first_q[r] - left;
            const bool inside = k < depth && 0 <= p && p < P && 0 <= q && q < Q;
            a[own][r] = inside ? y[first[r] + to] : 0;
        }
        const INDEX i = i0 + nth_h * every_h, j = j0 + nth_w * every_w;
        #pragma unroll
        for (int l = t / DEPTH; l < COLUMNS; l += THREADS / DEPTH) {
            const INDEX c = column0 + l;
            const bool inside = k < depth && c < in_group;
            b[own][l] =
                inside ? weight[(((group * out_group + o) * in_group + c) * kh + i) * kw + j] : 0;
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
        __syncthreads();
    }

    // 5. Add the bias, and store what lies in the image: the last phases may reach beyond.
    #pragma unroll
    for (int r = 0; r < THREAD_ROWS; r++) {
        const INDEX m = row0 + down + r, n = m / width / height;
        const INDEX h = phase_h + stride_h * (m / width % height), v = phase_w + stride_w * (m % width);
        #pragma unroll
        for (int s = 0; s < THREAD_COLUMNS; s++) {
            const INDEX column = column0 + across + s, c = group * in_group + column;
            if (m < rows && h < H && v < W && column < in_group)
                x[((n * H + h) * W + v) * C + c] = sum[r][s] + (bias ? bias[c] : 0);
        }
    }
}
