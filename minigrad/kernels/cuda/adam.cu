/* One step of Adam or AdamW over all parameters, which lie in one array; an element a thread.

       p <- (1 - lr weight_decay) p                  if decoupled (AdamW), else
       g <- g + weight_decay p
       m <- beta1 m + (1 - beta1) g
       v <- beta2 v + (1 - beta2) g^2
       p <- p - lr c m / (sqrt(v) + r eps)           r = sqrt(1 - beta2^t)    c = r / (1 - beta1^t)

       values       [ p p p p | p p p p | p p ]
       gradient     [ g g g g | g g g g | g g ]      a block reads its stretch of four arrays
       mean         [ m m m m | m m m m | m m ]      and writes it in three
       mean_square  [ v v v v | v v v v | v v ]

   The number t of the step is read from the GPU's memory. It is the same for all threads, and so
   are r and c: the first thread of a block computes them, in double precision.
*/

extern "C" __global__ void adam(REAL* __restrict__ values, const REAL* __restrict__ gradient,
                                REAL* __restrict__ mean, REAL* __restrict__ mean_square,
                                const long long* __restrict__ step, INDEX count, INDEX decoupled,
                                double lr, double beta1, double beta2, double eps,
                                double weight_decay)
{
    __shared__ REAL rate, smallest;
    if (threadIdx.x == 0) {
        const double t = (double)*step, root = sqrt(1 - pow(beta2, t));
        rate = lr * root / (1 - pow(beta1, t));
        smallest = root * eps;
    }
    __syncthreads();

    const INDEX e = (INDEX)blockIdx.x * blockDim.x + threadIdx.x;
    if (e < count) {
        REAL p = values[e], g = gradient[e];
        if (decoupled)
            p *= (REAL)(1 - lr * weight_decay);
        else
            g += (REAL)weight_decay * p;
        const REAL m = (REAL)beta1 * mean[e] + (REAL)(1 - beta1) * g;
        const REAL v = (REAL)beta2 * mean_square[e] + (REAL)(1 - beta2) * g * g;
        mean[e] = m;
        mean_square[e] = v;
        values[e] = p - rate * m / (sqrt(v) + smallest);
    }
}
