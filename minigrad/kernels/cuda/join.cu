/* join: the elements of several arrays, one array after the other, in one.

       pieces   data[0]  [ a a a a a ]      first  0 5 7 11       grid (longest / 256, pieces):
                data[1]  [ b b ]                                  a row of blocks a piece, of which
                data[2]  [ c c c c ]                              those beyond its end do nothing

       whole    [ a a a a a b b c c c c ]

   An optimiser wants the gradients of all parameters so, and there are tens of them. One launch
   copies all: where they lie is not copied to the GPU before, but handed over with the launch.
*/

struct Pieces {
    const REAL* data[PIECES];
    long long first[PIECES + 1];
};

extern "C" __global__ void join(REAL* __restrict__ whole, const Pieces pieces)
{
    const INDEX e = (INDEX)blockIdx.x * blockDim.x + threadIdx.x;
    const INDEX first = pieces.first[blockIdx.y], end = pieces.first[blockIdx.y + 1];
    if (e < end - first)
        whole[first + e] = pieces.data[blockIdx.y][e];
}
