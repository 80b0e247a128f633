/* Rows of tensors that two threads share: each computes one half, and knows no more than where it begins. */
#include "rows.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace {

/*
 * A second thread. It spins for a while between two pieces of work, as the threads of an engine do within a
 * step, and sleeps after that, so that it takes nothing from the other rows.
 */
class Helper {
public:
    Helper() : thread([this] { loop(); })
    {
    }

    ~Helper()
    {
        const Work leave = [this] { stop = true; };
        start(leave);
        thread.join();
    }

    void start(const Work &piece)
    {
        work = &piece;
        {
            const std::lock_guard<std::mutex> lock(mutex);
            started++;
        }
        wake.notify_one();
    }

    void wait() const
    {
        while (finished != started)
            ;
    }

private:
    void loop()
    {
        for (unsigned seen = 0; !stop; seen++) {
            for (int spin = 0; spin < 20000 && started == seen; spin++)
                ;
            if (started == seen) {
                std::unique_lock<std::mutex> lock(mutex);
                wake.wait(lock, [&] { return started != seen; });
            }
            (*work)();
            finished++;
        }
    }

    const Work *work = nullptr;
    std::atomic<unsigned> started{0}, finished{0};
    bool stop = false; /* of the second thread alone */
    std::mutex mutex;
    std::condition_variable wake;
    std::thread thread;
};

} // namespace

void add_threads(dropwise_isa isa, size_t bytes)
{
    const size_t n = bytes / 4, half = n / 2;
    const dropwise_mask mask = make_mask(0.1);
    const std::string name =
        std::string("threads/f32/") + dropwise_isa_name(isa) + "/p:0.1" + bytes_suffix(bytes) + "/threads:";
    /* The rows' operands lie apart, as the caches of two cores would else take them from each other. */
    const auto part = [=](size_t at, size_t from, size_t len) {
        return dropwise_forward(&mask, DROPWISE_F32, kFirst + from, len, buffers().x + at + from,
                                buffers().y + at + from, nullptr);
    };
    const auto whole = [=] { return part(0, 0, n); };
    add_call(name + "1", isa, n, 2 * bytes, whole);
    if (std::thread::hardware_concurrency() < 2) {
        add_missing(name + "2", "this machine has one processor");
        return;
    }
    const Work second_half = [=] { part(n + 1024, half, n - half); };
    add_call(name + "2", isa, n, 2 * bytes,
             [=] {
                 static Helper helper;
                 helper.start(second_half);
                 const dropwise_status status = part(n + 1024, 0, half);
                 helper.wait();
                 return status;
             },
             {{"one_thread", {[=] { whole(); }}}});
}
