#include "rows.h"

#include <ctime>

#include <algorithm>
#include <cmath>
#include <memory>

Buffers::Buffers()
{
    constexpr size_t kPage = 4096;
    char *memory = static_cast<char *>(std::aligned_alloc(kPage, 2 * kMaxBytes + kMaxBytes / 8 + 4 * kPage));
    x = reinterpret_cast<float *>(memory);
    y = reinterpret_cast<float *>(memory + kMaxBytes + kPage / 2 + 64);
    bits = reinterpret_cast<unsigned char *>(memory + 2 * kMaxBytes + 2 * kPage);
    begin(kMaxBytes);
    std::memcpy(y, x, kMaxBytes);
    std::memset(bits, 0x5A, kMaxBytes / 8);
}

void Buffers::begin(size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof(float); i++)
        x[i] = static_cast<float>(i % 1024) - 512;
}

Buffers &buffers()
{
    static Buffers b;
    return b;
}

namespace {

/* Long enough that reading the clock, and warming the cache again, are not what is measured. */
constexpr double kSampleSeconds = 300e-6;

/* Processor time of this thread: others on the machine take less from it than from the wall clock. */
double seconds()
{
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void repeat(const Work &work, size_t calls)
{
    for (size_t i = 0; i < calls; i++) {
        work();
        benchmark::ClobberMemory();
    }
}

double seconds_of(const Work &work, size_t calls)
{
    const double start = seconds();
    repeat(work, calls);
    return seconds() - start;
}

size_t calls_in_sample(const Work &work)
{
    for (size_t calls = 1;; calls *= 2) {
        if (seconds_of(work, calls) >= kSampleSeconds)
            return calls;
    }
}

/* Work that is sampled in turn with other work. */
struct Sampled {
    Work work;
    size_t calls;

    explicit Sampled(const Work &sampled) : work(sampled), calls(calls_in_sample(sampled))
    {
    }

    /* Once without being counted, as the others left the caches as they need them. */
    void warm() const
    {
        work();
    }

    double seconds_a_call() const
    {
        warm();
        return seconds_of(work, calls) / static_cast<double>(calls);
    }
};

/* A row's work and its references, ready to be sampled. */
struct Company {
    Sampled own;
    std::vector<std::vector<Sampled>> others;

    Company(const Work &work, const std::vector<Reference> &references) : own(work)
    {
        for (const Reference &reference : references) {
            reference.before();
            others.emplace_back(reference.alternatives.begin(), reference.alternatives.end());
        }
    }
};

void run_beside(benchmark::State &state, const Company &company, const std::vector<Reference> &references)
{
    const Sampled &own = company.own;
    double best_own = HUGE_VAL;
    std::vector<double> best(references.size(), HUGE_VAL);
    own.warm();
    while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(own.calls))) {
        best_own = std::min(best_own, seconds_of(own.work, own.calls) / static_cast<double>(own.calls));
        state.PauseTiming();
        for (size_t r = 0; r < references.size(); r++) {
            references[r].before();
            for (const Sampled &alternative : company.others[r])
                best[r] = std::min(best[r], alternative.seconds_a_call());
        }
        own.warm();
        state.ResumeTiming();
    }
    for (size_t r = 0; r < references.size(); r++)
        state.counters["to_" + references[r].name] = best_own / best[r];
}

} // namespace

void add_row(const std::string &name, size_t n, size_t bytes_moved, Work work,
             std::vector<Reference> references, std::function<std::string()> prepare)
{
    /* All repetitions take samples of one length: Google Benchmark wants them to be of as many iterations. */
    const auto company = std::make_shared<std::unique_ptr<Company>>();
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State &state) {
        buffers();
        const std::string wrong = prepare();
        if (!wrong.empty()) {
            state.SkipWithError(wrong.c_str());
            return;
        }
        if (!references.empty()) {
            if (*company == nullptr)
                company->reset(new Company(work, references));
            run_beside(state, **company, references);
        } else {
            work();
            for (auto _ : state) {
                work();
                benchmark::ClobberMemory();
            }
        }
        state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes_moved));
        state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * n));
    });
}

void add_call(const std::string &name, dropwise_isa isa, size_t n, size_t bytes_moved,
              std::function<dropwise_status()> call, std::vector<Reference> references, Work begin)
{
    add_row(
        name, n, bytes_moved, [=] { call(); }, references,
        [=] {
            begin();
            dropwise_status status = dropwise_isa_select(isa);
            if (status == DROPWISE_OK)
                status = call();
            return std::string(status == DROPWISE_OK ? "" : dropwise_status_string(status));
        });
}

void add_missing(const std::string &name, const std::string &why)
{
    benchmark::RegisterBenchmark(name.c_str(),
                                 [=](benchmark::State &state) { state.SkipWithError(why.c_str()); });
}

std::vector<uint32_t> other_generators()
{
    std::vector<uint32_t> others;
    for (uint32_t g = DROPWISE_PHILOX4X32_10 + 1; dropwise_generator_name(g) != nullptr; g++)
        others.push_back(g);
    return others;
}

std::string bytes_suffix(size_t bytes)
{
    return "/bytes:" + std::to_string(bytes);
}

std::string probability_suffix(double p)
{
    return p == 0.1 ? "/p:0.1" : "/p:0.5";
}

std::string call_suffix(const Dtype &dtype, dropwise_isa isa, double p, size_t bytes)
{
    return std::string("/") + dtype.name + "/" + dropwise_isa_name(isa) + probability_suffix(p) +
           bytes_suffix(bytes);
}

dropwise_mask make_mask(double p, uint32_t generator)
{
    dropwise_mask mask;
    if (dropwise_mask_init(&mask, p, 1, 2) != DROPWISE_OK)
        std::abort();
    mask.generator = generator;
    return mask;
}

dropwise_view make_view(std::vector<uint64_t> size, uint32_t shared)
{
    dropwise_view view;
    if (dropwise_view_init(&view, static_cast<uint32_t>(size.size()), size.data()) != DROPWISE_OK ||
        dropwise_view_share(&view, shared) != DROPWISE_OK)
        std::abort();
    view.first = kFirst;
    return view;
}

const void *scale_for(size_t bytes_of_element)
{
    static const double f64 = 1.1;
    static const float f32 = 1.1f;
    return bytes_of_element == 8 ? static_cast<const void *>(&f64) : &f32;
}
