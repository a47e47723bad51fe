"""What a compiler knows of the CUDA kernels: registers, shared memory, spills, instructions, occupancy.

nvcc compiles each file of kernels/cuda for one architecture, cached by content. ptxas -v gives registers, shared
memory, stack and spills. Instructions are counted in the cubin, an ELF file with one section a kernel, without a
disassembler: the low 12 bits of each 16-byte instruction are its opcode. Occupancy is NVIDIA's own calculation,
cuda_occupancy.h, compiled here.
"""

import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "kernel_report"
FLAGS = ["-std=c++20", "--expt-relaxed-constexpr", "-O3", "-DNDEBUG", "-Xptxas", "-v"]
# Of sm_80 to sm_120. Not from a document: they were matched against the counts of mma.sync, ldmatrix and cp.async in the
# PTX of the same kernels.
OPCODES = {0x23C: "mma", 0x83B: "ldmatrix", 0xFAE: "cp_async"}
# Multiprocessors' limits, CUDA C++ Programming Guide, "Compute Capabilities": threads, shared bytes, shared bytes a block.
LIMITS = {80: (2048, 164 << 10, 163 << 10), 90: (2048, 228 << 10, 227 << 10), 100: (2048, 228 << 10, 227 << 10),
          120: (1536, 100 << 10, 99 << 10)}
# Kernels that exist for their tensor-core instructions.
TENSOR_CORES = ("attention_forward<", "attention_backward<", "multiply_tiles<bf16")


@dataclasses.dataclass
class Kernel:
    file: str
    name: str
    registers: int = 0
    static_shared: int = 0
    stack: int = 0
    spills: int = 0
    max_threads: int = 0  # of __launch_bounds__; 0: not said
    instructions: dict = dataclasses.field(default_factory=dict)
    total: int = 0


def fail(message):
    print(f"kernel_report: {message}", file=sys.stderr)
    sys.exit(2)


def short(demangled):
    """A kernel's name and template arguments, without return type, namespaces and parameters."""
    text = re.sub(r"\(anonymous namespace\)::", "", demangled)
    text = re.sub(r"steepest::(cuda::)?", "", text).removeprefix("void ")
    depth = 0
    for i, c in enumerate(text):
        depth += (c == "<") - (c == ">")
        if c == "(" and depth == 0:
            text = text[:i]
            break
    return text.replace("__nv_bfloat16", "bf16").replace("float", "f32").replace("std::", "")


def demangle(names):
    out = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    return dict(zip(names, out.splitlines()))


def generated_headers():
    """What CMake would write: the backends of a build with CUDA."""
    folder = CACHE / "generated"
    text = (ROOT / "src/core/backends.h.in").read_text().replace("@STEEPEST_BACKENDS@", "Cpu*, Cuda*")
    header = folder / "core/backends.h"
    if not header.is_file() or header.read_text() != text:
        header.parent.mkdir(parents=True, exist_ok=True)
        header.write_text(text)
    return folder


def compile_file(nvcc, source, arch, key):
    base = CACHE / f"{source.stem}-sm_{arch}-{key}"
    cubin, log = base.with_suffix(".cubin"), base.with_suffix(".log")
    if not log.is_file():
        command = [nvcc, *FLAGS, f"-I{ROOT}/src", f"-I{ROOT}", f"-I{generated_headers()}", f"-arch=sm_{arch}", "-cubin",
                   "-o", str(cubin), str(source)]
        done = subprocess.run(["nice", *command], capture_output=True, text=True)
        if done.returncode != 0:
            fail(f"{source.name} does not compile for sm_{arch}:\n{done.stderr[-2000:]}")
        for old in CACHE.glob(f"{source.stem}-sm_{arch}-*"):
            if old != cubin:
                old.unlink()
        log.write_text(done.stderr)
    return cubin.read_bytes(), log.read_text()


def parse_log(log, file):
    kernels, current = {}, None
    for line in log.splitlines():
        if match := re.search(r"Compiling entry function '(\S+)'", line):
            current = kernels[match[1]] = Kernel(file, match[1])
        elif current is None:
            continue
        elif match := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            current.stack, current.spills = int(match[1]), int(match[2]) + int(match[3])
        elif match := re.search(r"Used (\d+) registers", line):
            current.registers = int(match[1])
            if shared := re.search(r"(\d+) bytes smem", line):
                current.static_shared = int(shared[1])
    return kernels


def sections(elf):
    offset, = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3A)
    headers = [struct.unpack_from("<IIQQQQIIQQ", elf, offset + i * size) for i in range(count)]
    strings = headers[names][4]
    for header in headers:
        at = strings + header[0]
        yield elf[at:elf.index(b"\0", at)].decode(), elf[header[4]:header[4] + header[5]]


def read_cubin(elf, kernels):
    for name, content in sections(elf):
        if name.startswith(".text.") and name[6:] in kernels:
            kernel = kernels[name[6:]]
            kernel.total = len(content) // 16
            kernel.instructions = dict.fromkeys(OPCODES.values(), 0)
            for i in range(0, len(content) - 15, 16):
                opcode = OPCODES.get(struct.unpack_from("<H", content, i)[0] & 0xFFF)
                if opcode:
                    kernel.instructions[opcode] += 1
        elif name.startswith(".nv.info.") and name[9:] in kernels:
            at = 0
            while at + 4 <= len(content):
                form, attribute, size = struct.unpack_from("<BBH", content, at)
                if form == 4 and attribute == 5:  # the most threads, by dimensions
                    x, y, z = struct.unpack_from("<III", content, at + 4)
                    kernels[name[9:]].max_threads = x * y * z
                at += 4 + (size if form == 4 else 0)


def compile_all(arch):
    """Every kernel for sm_`arch`, in the order of files and sources."""
    nvcc = shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")
    if not nvcc:
        fail("nvcc is not there (on the PATH, or in /usr/local/cuda/bin)")
    CACHE.mkdir(parents=True, exist_ok=True)
    headers = sorted([*ROOT.glob("kernels/cuda/*.h"), *ROOT.glob("src/core/*.h"), *ROOT.glob("src/ops/*.h")])
    common = hashlib.sha256(" ".join(FLAGS).encode() + pathlib.Path(nvcc).resolve().as_posix().encode())
    for header in headers:
        common.update(header.read_bytes())
    sources = sorted(ROOT.glob("kernels/cuda/*.cu"))

    def one(source):
        digest = common.copy()
        digest.update(source.read_bytes())
        cubin, log = compile_file(nvcc, source, arch, digest.hexdigest()[:16])
        kernels = parse_log(log, source.name)
        read_cubin(cubin, kernels)
        return list(kernels.values())

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        kernels = [kernel for part in pool.map(one, sources) for kernel in part]
    if not kernels:
        fail("found no kernel in kernels/cuda/*.cu")
    names = demangle([kernel.name for kernel in kernels])
    for kernel in kernels:
        kernel.name = short(names[kernel.name])
    return sorted(kernels, key=lambda k: (k.file, k.name))


OCCUPANCY = r"""
#include <cuda_occupancy.h>
#include <cstdio>
#include <cstdlib>
// arch threads shared shared_a_block; lines of: registers static_shared threads dynamic_shared -> blocks
int main(int, char** a) {
    cudaOccDeviceProp p;
    p.computeMajor = std::atoi(a[1]) / 10, p.computeMinor = std::atoi(a[1]) % 10;
    p.maxThreadsPerBlock = 1024, p.maxThreadsPerMultiprocessor = std::atoi(a[2]);
    p.regsPerBlock = p.regsPerMultiprocessor = 65536, p.warpSize = 32;
    p.sharedMemPerBlock = 48 << 10, p.sharedMemPerMultiprocessor = std::atoi(a[3]), p.numSms = 1;
    p.sharedMemPerBlockOptin = std::atoi(a[4]), p.reservedSharedMemPerBlock = 1024;
    int registers, threads;
    size_t fixed, dynamic;
    while (std::scanf("%d %zu %d %zu", &registers, &fixed, &threads, &dynamic) == 4) {
        cudaOccFuncAttributes f{};
        f.maxThreadsPerBlock = 1024, f.numRegs = registers, f.sharedSizeBytes = fixed;
        f.partitionedGCConfig = PARTITIONED_GC_OFF, f.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
        f.maxDynamicSharedSizeBytes = p.sharedMemPerBlockOptin - fixed, f.numBlockBarriers = 1;
        cudaOccDeviceState s{};
        cudaOccResult r{};
        const auto error = cudaOccMaxActiveBlocksPerMultiprocessor(&r, &p, &f, &s, threads, dynamic);
        std::printf("%d\n", error == CUDA_OCC_SUCCESS ? r.activeBlocksPerMultiprocessor : -1);
    }
}
"""


def occupancies(arch, launches):
    """Blocks a multiprocessor for each (registers, static shared, threads, dynamic shared); -1: NVIDIA's header refuses."""
    source, program = CACHE / "occupancy.cpp", CACHE / "occupancy"
    if not program.is_file() or not source.is_file() or source.read_text() != OCCUPANCY:
        source.write_text(OCCUPANCY)
        nvcc = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
        include = pathlib.Path(nvcc).resolve().parent.parent / "include"
        done = subprocess.run(["g++", "-O1", f"-I{include}", str(source), "-o", str(program)], capture_output=True, text=True)
        if done.returncode != 0:
            fail(f"cuda_occupancy.h does not compile:\n{done.stderr[-1000:]}")
    threads, shared, block = LIMITS[arch]
    text = "\n".join(" ".join(map(str, launch)) for launch in launches)
    out = subprocess.run([program, str(arch), str(threads), str(shared), str(block)], input=text, capture_output=True,
                         text=True, check=True).stdout
    return [int(line) for line in out.split()]
