/* Sums over the rows of a matrix, in two stages and always in the same order.

       channel_sum   parts[b, c] = sum of y[m, c] over the rows m of part b
       sum_parts     result[c]   = sum of parts[b, c] over b

       y (rows, channels): a block takes the rows of a part and the columns of a tile

             c 0 .. width - 1
            +-----------------+
            | lane 0          |     A thread adds every lanes-th row of its column;
      rows  | lane 1          |     then a warp adds what its threads of one column have,
      _each |  ...            |     by shuffles: 16 places down, 8, ..., width;
            | lane 0          |     then the first warp adds the 8 warps, in their order.
            |  ...            |
            +-----------------+

   Rows lie one after the other in memory, so a warp reads 32 neighbours, whatever the width: a
   power of two, at most 32, at least the number of channels if that is less than 32.
   Additions by atomics would come in another order each time, and round differently.
*/

#define THREADS 256
#define WARP 32
#define WARPS (THREADS / WARP)

extern "C" __global__ void __launch_bounds__(THREADS)
channel_sum(const REAL* __restrict__ y, REAL* __restrict__ parts, INDEX rows, INDEX channels,
            INDEX width, INDEX rows_each)
{
    __shared__ REAL of_warps[WARPS][WARP];
    const int t = threadIdx.x, place = t % WARP, warp = t / WARP;
    const INDEX c = (INDEX)blockIdx.x * width + t % width;
    const INDEX begin = (INDEX)blockIdx.y * rows_each;
    const INDEX end = rows - begin < rows_each ? rows : begin + rows_each;

    // 1. A thread adds its rows.
    REAL sum = 0;
    if (c < channels)
        for (INDEX m = begin + t / width; m < end; m += THREADS / width)
            sum += y[m * channels + c];

    // 2. A warp adds its threads.
    for (int down = WARP / 2; down >= width; down /= 2)
        sum += __shfl_down_sync(0xffffffff, sum, down);
    of_warps[warp][place] = sum;
    __syncthreads();

    // 3. The first threads add the warps.
    if (t < width && c < channels) {
        sum = 0;
        for (int w = 0; w < WARPS; w++)
            sum += of_warps[w][t];
        parts[(INDEX)blockIdx.y * channels + c] = sum;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
sum_parts(const REAL* __restrict__ parts, REAL* __restrict__ result, INDEX count, INDEX size)
{
    __shared__ REAL of_warps[WARPS][WARP];
    const int place = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const INDEX e = (INDEX)blockIdx.x * WARP + place;

    // 1. A warp adds every 8th part of 32 neighbours.
    REAL sum = 0;
    if (e < size)
        for (INDEX b = warp; b < count; b += WARPS)
            sum += parts[b * size + e];
    of_warps[warp][place] = sum;
    __syncthreads();

    // 2. The first warp adds the warps.
    if (warp == 0 && e < size) {
        sum = 0;
        for (int w = 0; w < WARPS; w++)
            sum += of_warps[w][place];
        result[e] = sum;
    }
}
