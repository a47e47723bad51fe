// mma.sync and ldmatrix. Fragments as in the PTX ISA, "Matrix fragments for mma.m16n8k16" and its neighbours: lane l
// holds row l / 4 and, of a pair of columns, those at 2 (l % 4). Products are summed in double and rounded once, where
// tensor cores sum in an order and a precision of their own.
#include "tests/gpu_sim/machine/floating.h"
#include "tests/gpu_sim/machine/memory_access.h"

#include <cstring>

namespace gpu_sim {

namespace {

enum class Element : std::uint32_t { kBf16, kF16, kTf32 };

double element(Element type, std::uint32_t bits) {
    if (type == Element::kBf16) return from_bf16(std::uint16_t(bits));
    if (type == Element::kF16) return from_f16(std::uint16_t(bits));
    // The hardware does not look at the lower bits.
    return std::bit_cast<float>(bits & ~0x1fffu);
}

bool whole_warp(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    if (lanes == kAllLanes) return true;
    if (warp.live() != kAllLanes) {
        warp.fault(in, std::uint32_t(__builtin_ctz(lanes)),
                   "a matrix instruction needs all 32 lanes; some have exited");
    }
    return warp.gather(in, lanes, kAllLanes);
}

// Operands: D, A, B, C, one register after another. target: element | K << 8 | halves accumulate << 16.
void multiply(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    if (!whole_warp(warp, in, lanes)) return;
    const auto type = Element(in.target & 255);
    const std::uint32_t K = in.target >> 8 & 255;
    const bool half_sums = (in.target >> 16) != 0;
    const std::uint32_t pack = type == Element::kTf32 ? 1 : 2, block = 4 * pack, steps = K / block;
    const std::uint32_t a_at = half_sums ? 2 : 4, b_at = a_at + 2 * steps, c_at = b_at + steps;
    double A[16][16], B[16][8], D[16][8];
    for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
        const std::uint32_t group = lane / 4, column = lane % 4 * pack;
        for (std::uint32_t step = 0; step < steps; ++step) {
            const std::uint32_t top = warp.at<std::uint32_t>(in.operand[a_at + 2 * step])[lane];
            const std::uint32_t low = warp.at<std::uint32_t>(in.operand[a_at + 2 * step + 1])[lane];
            const std::uint32_t right = warp.at<std::uint32_t>(in.operand[b_at + step])[lane];
            for (std::uint32_t i = 0; i < pack; ++i) {
                const std::uint32_t k = step * block + column + i;
                A[group][k] = element(type, top >> 16 * i);
                A[group + 8][k] = element(type, low >> 16 * i);
                B[k][group] = element(type, right >> 16 * i);
            }
        }
        for (std::uint32_t i = 0; i < 4; ++i) {
            double& c = D[group + i / 2 * 8][lane % 4 * 2 + i % 2];
            c = half_sums
                    ? from_f16(std::uint16_t(warp.at<std::uint32_t>(in.operand[c_at + i / 2])[lane] >> i % 2 * 16))
                    : warp.at<float>(in.operand[c_at + i])[lane];
        }
    }
    for (std::uint32_t m = 0; m < 16; ++m) {
        for (std::uint32_t k = 0; k < K; ++k) {
            for (std::uint32_t n = 0; n < 8; ++n) D[m][n] += A[m][k] * B[k][n];
        }
    }
    for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
        for (std::uint32_t half = 0; half < 2; ++half) {
            const double* d = &D[lane / 4 + half * 8][lane % 4 * 2];
            if (half_sums) {
                warp.at<std::uint32_t>(in.operand[half])[lane] = to_f16(d[0]) | std::uint32_t{to_f16(d[1])} << 16;
            } else {
                warp.at<float>(in.operand[2 * half])[lane] = float(d[0]);
                warp.at<float>(in.operand[2 * half + 1])[lane] = float(d[1]);
            }
        }
    }
}

// mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {d}, {a}, {b}, {c}
void decode_mma(Decoding& d) {
    d.take("sync");
    d.take("aligned");
    const std::uint32_t K = d.take("m16n8k16") ? 16 : d.take("m16n8k8") ? 8 : d.take("m16n8k4") ? 4 : 0;
    if (K == 0 || !d.take("row") || !d.take("col")) d.fail("unknown shape of mma");
    const Type c = d.take_type(), b = d.take_type(), a = d.take_type(), sum = d.take_type();
    if (a != b || c != sum || (sum != Type::f32 && sum != Type::f16)) d.fail("unknown types of mma");
    if (a != Type::bf16 && a != Type::f16 && a != Type::tf32) d.fail("unknown types of mma");
    const Element type = a == Type::bf16 ? Element::kBf16 : a == Type::f16 ? Element::kF16 : Element::kTf32;
    d.in.run = multiply;
    d.in.target = std::uint32_t(type) | K << 8 | std::uint32_t(sum == Type::f16) << 16;
    std::size_t at = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        for (const std::string_view part : d.elements(i)) d.in.operand[at++] = d.value(part, Type::b32);
    }
    const std::size_t steps = K / (type == Element::kTf32 ? 4 : 8), sums = sum == Type::f16 ? 2 : 4;
    if (at != 2 * sums + 3 * steps) d.fail("another number of registers than the shape needs");
}

// Operands: address, then registers. target: matrices | transposed << 8.
void load_matrices(Warp& warp, const Instruction& in, std::uint32_t lanes) {
    if (!whole_warp(warp, in, lanes)) return;
    const std::uint32_t count = in.target & 255;
    const bool transposed = (in.target >> 8) != 0;
    const std::uint32_t readers = count == 4 ? kAllLanes : (1u << 8 * count) - 1;
    Access a{.in = in, .lanes = readers, .bytes = 16, .kind = MemoryAccess::kRead, .address = {}};
    set_addresses(warp, a, in.operand[0]);
    for (std::uint64_t& address : a.address) address &= 0xffffffffu;
    if (KernelCounters* counters = warp.grid().counters) counters->ldmatrix_conflicts += bank_conflicts(a);
    alignas(64) std::uint16_t rows[kWarp][8];
    access<ptx::Space::kShared>(warp, a, [&](const Run& run, const std::byte* from) {
        for (std::uint32_t j = 0; j < run.lanes; ++j)
            std::memcpy(rows[run.first + j], from + (run.same ? 0 : j * 16), 16);
    });
    for (std::uint32_t i = 0; i < count; ++i) {
        std::uint32_t* d = warp.at<std::uint32_t>(in.operand[1 + i]);
        for (std::uint32_t lane = 0; lane < kWarp; ++lane) {
            const std::uint32_t group = lane / 4, pair = lane % 4 * 2;
            const std::uint16_t low = transposed ? rows[8 * i + pair][group] : rows[8 * i + group][pair];
            const std::uint16_t high = transposed ? rows[8 * i + pair + 1][group] : rows[8 * i + group][pair + 1];
            d[lane] = low | std::uint32_t{high} << 16;
        }
    }
}

void decode_ldmatrix(Decoding& d) {
    for (const char* word : {"sync", "aligned", "m8n8"}) d.take(word);
    const std::uint32_t count = d.take("x4") ? 4 : d.take("x2") ? 2 : d.take("x1") ? 1 : 0;
    const bool transposed = d.take("trans");
    if (count == 0 || d.take_type() != Type::b16) d.fail("unknown form of ldmatrix");
    take_space(d);
    d.in.run = load_matrices;
    d.in.target = count | std::uint32_t(transposed) << 8;
    const std::vector<std::string_view> parts = d.elements(0);
    if (parts.size() != count) d.fail("another number of registers than matrices");
    for (std::size_t i = 0; i < count; ++i) d.in.operand[1 + i] = d.value(parts[i], Type::b32);
    take_address(d, 1, 0, ptx::Space::kShared);
}

}  // namespace

void add_matrix(DecoderTable& table) {
    table["mma"] = decode_mma;
    table["ldmatrix"] = decode_ldmatrix;
}

}  // namespace gpu_sim
