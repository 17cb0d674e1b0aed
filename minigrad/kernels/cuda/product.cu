/* product: a matrix times a matrix, either of them transposed, for dense layers.

       c[m, n] = bias[n] + sum over k of a[m, k] * b[k, n]

                                 COLUMNS
                                +-------+
                                | tile  | DEPTH      As in conv2d.cu: both tiles move along k;
                                | of b  |            a thread computes THREAD_ROWS x
                                +-------+            THREAD_COLUMNS elements, in registers.
                        DEPTH
                     +---------+-------+
               ROWS  | tile    | block |
                     | of a    | of c  |
                     +---------+-------+

   Memory: an operand's element [m, k] lies m * row_stride + k * column_stride elements from its
   first; c is in C order. A warp loads along the axis whose elements lie side by side.
   Grid: (row tiles, column tiles).
*/

#define THREADS 128
#define BLOCKS (16 / sizeof(REAL))  // at once on a multiprocessor: enough registers for each
#define ROWS (16 * THREAD_ROWS)
#define COLUMNS (8 * THREAD_COLUMNS)
#define DEPTH 16

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
product(const REAL* __restrict__ a, const REAL* __restrict__ b, const REAL* __restrict__ bias,
        REAL* __restrict__ c, INDEX rows, INDEX depth, INDEX columns,
        INDEX a_row_stride, INDEX a_column_stride, INDEX b_row_stride, INDEX b_column_stride)
{
    __shared__ __align__(16) REAL a_tile[DEPTH][ROWS + 4];  // + 4: fewer threads on one bank
    __shared__ __align__(16) REAL b_tile[DEPTH][COLUMNS + 4];

    const int t = threadIdx.x;
    const INDEX row0 = (INDEX)blockIdx.x * ROWS;
    const INDEX column0 = (INDEX)blockIdx.y * COLUMNS;

    REAL sum[THREAD_ROWS][THREAD_COLUMNS] = {};
    const int across = t % 8 * THREAD_COLUMNS, down = t / 8 * THREAD_ROWS;  // this thread's part

    for (INDEX k0 = 0; k0 < depth; k0 += DEPTH) {
        // 1. Load both tiles.
        #pragma unroll
        for (int e = t; e < DEPTH * ROWS; e += THREADS) {
            const int r = a_row_stride == 1 ? e % ROWS : e / DEPTH;
            const int l = a_row_stride == 1 ? e / ROWS : e % DEPTH;
            const INDEX m = row0 + r, k = k0 + l;
            const bool inside = m < rows && k < depth;
            a_tile[l][r] = inside ? a[m * a_row_stride + k * a_column_stride] : 0;
        }
        #pragma unroll
        for (int e = t; e < DEPTH * COLUMNS; e += THREADS) {
            const int s = b_column_stride == 1 ? e % COLUMNS : e / DEPTH;
            const int l = b_column_stride == 1 ? e / COLUMNS : e % DEPTH;
            const INDEX n = column0 + s, k = k0 + l;
            const bool inside = n < columns && k < depth;
            b_tile[l][s] = inside ? b[k * b_row_stride + n * b_column_stride] : 0;
        }
        __syncthreads();

        // 2. Multiply them.
        #pragma unroll
        for (int l = 0; l < DEPTH; l++)
            #pragma unroll
            for (int r = 0; r < THREAD_ROWS; r++)
                #pragma unroll
                for (int s = 0; s < THREAD_COLUMNS; s++)
                    sum[r][s] += a_tile[l][down + r] * b_tile[l][across + s];
        __syncthreads();
    }

    // 3. Add the bias, and store.
    #pragma unroll
    for (int r = 0; r < THREAD_ROWS; r++)
        #pragma unroll
        for (int s = 0; s < THREAD_COLUMNS; s++) {
            const INDEX m = row0 + down + r, n = column0 + across + s;
            if (m < rows && n < columns)
                c[m * columns + n] = sum[r][s] + (bias ? bias[n] : 0);
        }
}
