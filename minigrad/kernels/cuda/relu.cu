/* ReLU and its gradient, an element a thread.

       y[e] = max(x[e], 0)                      not-a-number stays what it is
       result[e] = gradient[e] where y[e] > 0, else 0

       block 0          block 1          block 2
      +----------------+----------------+---------- - -
      | t 0 1 2 .. 255 | t 0 1 2 .. 255 | ...               the elements, as they lie in memory
      +----------------+----------------+---------- - -

   Threads beside each other read elements beside each other: a warp reads whole lines of memory.
   All arrays have the same memory order, whichever it is.
*/

extern "C" __global__ void relu(const REAL* __restrict__ x, REAL* __restrict__ y, INDEX count)
{
    const INDEX e = (INDEX)blockIdx.x * blockDim.x + threadIdx.x;
    if (e < count)
        y[e] = x[e] < 0 ? 0 : x[e];
}

extern "C" __global__ void relu_grad(const REAL* __restrict__ y, const REAL* __restrict__ gradient,
                                     REAL* __restrict__ result, INDEX count)
{
    const INDEX e = (INDEX)blockIdx.x * blockDim.x + threadIdx.x;
    if (e < count)
        result[e] = y[e] > 0 ? gradient[e] : 0;
}
