/* CUDA C on a CPU, without a graphics card: put before a kernel's source and compiled by a C++
   compiler (GNU or Clang, on Linux).

   A block's threads are coroutines. They run one at a time, in a shuffled order, each until it waits
   at a barrier or ends; when all wait, all go on. Shared memory is filled with not-a-number before
   every block, so that what is read before it was written shows in the result. Blocks run one after
   the other, in a shuffled order. Nothing is shown of speed, or of races between blocks. */

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <typeinfo>
#include <ucontext.h>
#include <utility>

struct dim3 { unsigned x, y, z; };
static dim3 gridDim, blockDim, blockIdx, threadIdx;

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __shared__ static __attribute__((section("shared_memory")))  // its bounds are the linker's
extern char __start_shared_memory[] __attribute__((weak));
extern char __stop_shared_memory[] __attribute__((weak));

namespace emulation {

struct Thread {
    ucontext_t context;
    dim3 index;
    int line;       // of the barrier where it waits; 0: it has ended
    char *stack;
    double number;  // what it offers to its warp
};

constexpr int MOST_THREADS = 1024, WARP = 32;
constexpr size_t STACK = 1 << 16;
static Thread threads[MOST_THREADS];
static ucontext_t scheduler;
static Thread *current;
static unsigned long long state;        // of the random numbers
static char error[200];
static void (*body)();

static unsigned draw(unsigned below) {  // Knuth's linear congruential generator
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)((state >> 33) % below);
}

static void shuffle(int *order, int count) {
    for (int i = 0; i < count; i++) order[i] = i;
    for (int i = count - 1; i > 0; i--) std::swap(order[i], order[draw(i + 1)]);
}

static void wait_at(int line) {
    current->line = line;
    swapcontext(&current->context, &scheduler);
}

static void start() {
    body();
    current->line = 0;
    setcontext(&scheduler);
}

__attribute__((no_sanitize("address"))) static void forget_shared_memory() {
    for (volatile char *byte = __start_shared_memory; byte < __stop_shared_memory; byte++)
        *byte = (char)0xff;             // not-a-number; -1, as a whole number
}

static bool run_block(int count) {
    forget_shared_memory();
    for (int i = 0; i < count; i++) {
        Thread &thread = threads[i];
        if (!thread.stack) thread.stack = (char *)malloc(STACK);
        thread.index = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
        getcontext(&thread.context);
        thread.context.uc_stack.ss_sp = thread.stack;
        thread.context.uc_stack.ss_size = STACK;
        makecontext(&thread.context, start, 0);
    }
    static int order[MOST_THREADS];
    do {
        shuffle(order, count);
        for (int i = 0; i < count; i++) {
            current = &threads[order[i]];
            threadIdx = current->index;
            swapcontext(&scheduler, &current->context);
        }
        for (int i = 1; i < count; i++)
            if (threads[i].line != threads[0].line) {
                snprintf(error, sizeof error, "block (%u, %u, %u): divergent barrier: thread 0 is "
                         "at line %d, thread %d at line %d (0: it has ended)", blockIdx.x,
                         blockIdx.y, blockIdx.z, threads[0].line, i, threads[i].line);
                return false;
            }
    } while (threads[0].line);
    return true;
}

static const char *run(const unsigned *grid, const unsigned *block, unsigned seed) {
    gridDim = {grid[0], grid[1], grid[2]}, blockDim = {block[0], block[1], block[2]}, state = seed;
    const int blocks = grid[0] * grid[1] * grid[2], count = block[0] * block[1] * block[2];
    int *order = (int *)malloc(blocks * sizeof(int));
    shuffle(order, blocks);
    error[0] = 0;
    for (int i = 0; i < blocks; i++) {
        const unsigned b = order[i];
        blockIdx = {b % grid[0], b / grid[0] % grid[1], b / grid[0] / grid[1]};
        if (!run_block(count)) break;
    }
    free(order);
    return error;
}

template <class... P, size_t... I>
static void call(void (*kernel)(P...), void **arguments, std::index_sequence<I...>) {
    kernel(*static_cast<P *>(arguments[I])...);
}

template <class... P> static const char *types(void (*)(P...)) {
    static char text[1000];
    text[0] = 0;
    ((strcat(text, typeid(P).name()), strcat(text, " ")), ...);
    return text;
}

template <class... P> constexpr auto places(void (*)(P...)) {
    return std::make_index_sequence<sizeof...(P)>();
}

}  // namespace emulation

#define __syncthreads() emulation::wait_at(__LINE__)

/* Every thread's number, from the thread `down` places on in its warp. All threads of the block must
   come here together, which is stricter than CUDA. */
#define __shfl_down_sync(mask, number, down) emulation::shuffle_down(number, down, __LINE__)

namespace emulation {
template <class T> T shuffle_down(T number, int down, int line) {
    current->number = number;
    wait_at(line);
    const int place = (int)(current - threads), other = place + down;
    const T found = (T)threads[other / WARP == place / WARP ? other : place].number;
    wait_at(line);
    return found;
}
}  // namespace emulation

/* Makes a kernel callable: launch_NAME runs it, types_NAME tells its parameters' types. */
#define EMULATE(NAME)                                                                              \
    extern "C" const char *types_##NAME() { return emulation::types(NAME); }                       \
    extern "C" const char *launch_##NAME(const unsigned *grid, const unsigned *block,              \
                                         unsigned seed, void **arguments) {                        \
        static void **given;                                                                       \
        given = arguments;                                                                         \
        emulation::body = [] { emulation::call(NAME, given, emulation::places(NAME)); };           \
        return emulation::run(grid, block, seed);                                                  \
    }
