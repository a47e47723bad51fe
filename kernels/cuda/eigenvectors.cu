// Jacobi's eigenvalue algorithm on the GPU, a block of 256 threads a matrix, which lies in shared memory in double with
// its eigenvectors: 66 KiB, three blocks a multiprocessor. A round of the tournament rotates 32 disjoint pairs: a lane
// of the first warp finds each one's angle, all threads turn rows, then columns, which an odd stride keeps in different
// banks. Limited by the latency of some 200 double operations and four barriers a round; many matrices hide it.
#include "kernels/cuda/tensor_table.h"
#include "ops/eigenvectors.h"

namespace steepest {

namespace {

constexpr int kThreads = 256;
constexpr int kMost = SymmetricEigenvectors::kMostRows, kStride = kMost + 1;

struct Angles {
    double c[kMost / 2], s[kMost / 2];
    int p[kMost / 2], q[kMost / 2];
};
struct Shared {
    double h[kMost][kStride], q[kMost][kStride];
    Angles angles;
};

__global__ void __launch_bounds__(kThreads) find(const __grid_constant__ cuda::TensorTable<2> table, int sweeps) {
    extern __shared__ double memory[];
    Shared& own = *reinterpret_cast<Shared*>(memory);
    __shared__ double threshold;
    __shared__ int turns[2];  // of a round and of the one before, which a slow warp may still look at
    const auto& entry = table.entries[blockIdx.x];
    float* to = static_cast<float*>(entry.data[0]);
    const float* from = static_cast<const float*>(entry.data[1]);
    const int n = static_cast<int>(entry.factor), players = (n + 1) / 2 * 2;

    double squares = 0;
    for (int i = threadIdx.x; i < n * n; i += kThreads) {
        const int r = i / n, c = i % n;
        const double value = (static_cast<double>(from[r * n + c]) + static_cast<double>(from[c * n + r])) / 2;
        own.h[r][c] = value, own.q[r][c] = r == c ? 1 : 0;
        squares = fma(value, value, squares);
    }
    squares = cuda::block_sum_double(squares);
    if (threadIdx.x == 0) threshold = SymmetricEigenvectors::kThreshold * sqrt(squares);
    __syncthreads();

    bool rotated = true;
    int now = 0;
    for (int sweep = 0; rotated && sweep < sweeps; ++sweep) {
        rotated = false;
        for (int round = 0; round + 1 < players; ++round, now = 1 - now) {
            bool mine = false;
            if (const int k = threadIdx.x; k < players / 2) {
                const int a = k == 0 ? players - 1 : (round + k) % (players - 1),
                          b = k == 0 ? round : (round - k + players - 1) % (players - 1);
                const int p = min(a, b), q = max(a, b);
                double cosine = 1, sine = 0;
                if (q < n && fabs(own.h[p][q]) > threshold) {
                    const double difference = (own.h[q][q] - own.h[p][p]) / (2 * own.h[p][q]);
                    const double tangent =
                        copysign(1 / (fabs(difference) + sqrt(1 + difference * difference)), difference);
                    cosine = 1 / sqrt(1 + tangent * tangent), sine = tangent * cosine, mine = true;
                }
                own.angles.p[k] = p, own.angles.q[k] = q, own.angles.c[k] = cosine, own.angles.s[k] = sine;
            }
            if (threadIdx.x < cuda::kWarp) {
                const int any = __any_sync(cuda::kAllLanes, mine);
                if (threadIdx.x == 0) turns[now] = any;
            }
            __syncthreads();
            if (!turns[now]) continue;
            rotated = true;
            for (int i = threadIdx.x; i < players / 2 * n; i += kThreads) {
                const int k = i / n, j = i % n, p = own.angles.p[k], q = own.angles.q[k];
                const double c = own.angles.c[k], s = own.angles.s[k];
                if (s == 0) continue;
                const double x = own.h[p][j], y = own.h[q][j], u = own.q[p][j], v = own.q[q][j];
                own.h[p][j] = c * x - s * y, own.h[q][j] = s * x + c * y;
                own.q[p][j] = c * u - s * v, own.q[q][j] = s * u + c * v;
            }
            __syncthreads();
            for (int i = threadIdx.x; i < players / 2 * n; i += kThreads) {
                const int k = i / n, j = i % n, p = own.angles.p[k], q = own.angles.q[k];
                const double c = own.angles.c[k], s = own.angles.s[k];
                if (s == 0) continue;
                const double x = own.h[j][p], y = own.h[j][q];
                own.h[j][p] = c * x - s * y, own.h[j][q] = s * x + c * y;
            }
            __syncthreads();
        }
    }
    for (int i = threadIdx.x; i < n * n; i += kThreads) {
        const int r = i / n, c = i % n;
        int rank = 0;
        for (int k = 0; k < n; ++k) rank += own.h[k][k] > own.h[r][r] || (own.h[k][k] == own.h[r][r] && k < r);
        to[rank * n + c] = static_cast<float>(own.q[r][c]);
    }
}

}  // namespace

void run(Cuda& cuda, const SymmetricEigenvectors& op) {
    std::vector<float> rows;
    for (const Tensor& t : op.h) rows.push_back(static_cast<float>(t.shape[0]));
    cuda::for_each_table(std::array{&op.q, &op.h}, rows.data(), [&](const cuda::TensorTable<2>& table) {
        cuda::launch(cuda, {static_cast<unsigned>(table.size), kThreads, sizeof(Shared)}, find, table, op.sweeps);
    });
}

}  // namespace steepest
