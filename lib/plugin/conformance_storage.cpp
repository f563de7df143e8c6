// What jarvis/storage.h promises, one check for each promise that can be seen from outside.
#include "plugin/storage_checks.hpp"

#include <array>
#include <atomic>
#include <mutex>
#include <thread>

namespace jarvis::plugin {
namespace {

using namespace storage_checks;

// Each part from a thread of its own, as the controller does it.
void serves_its_parts_at_once(Fixture& storage)
{
    std::atomic<bool> stop = false;
    std::mutex mutex;
    std::string first_failure;
    const auto run = [&](auto work) {
        return std::thread([&, work] {
            try {
                for (std::uint64_t i = 1; !stop && i <= 50; ++i)
                    work(i);
            } catch (const std::exception& failure) {
                const std::lock_guard lock(mutex);
                first_failure = failure.what();
                stop = true;
            }
        });
    };
    const std::array blobs{Blob{hash_of(1), "script"}};
    append(*storage, 1, "one", blobs);
    std::array threads{
        run([&](std::uint64_t i) { append_many(*storage, 2 + (i - 1) * 10, 10); }),
        run([&](std::uint64_t i) { write_snapshot(*storage, i, std::array{std::string(100000, 's')}); }),
        run([&](std::uint64_t i) {
            const std::array rows{row(i, i, JobState::completed, 1, 2, "record")};
            need(storage->apply_history(SequenceNumber{i}, rows), "apply_history");
        }),
        run([&](std::uint64_t) { query(*storage, {}); }),
        run([&](std::uint64_t) { require(need(storage->blob(hash_of(1)), "blob") == "script", "a blob changed"); }),
        run([&](std::uint64_t) { require(!read_from(*storage, 1).empty(), "groups are gone"); }),
        run([&](std::uint64_t) { require(storage->status().condition == StorageCondition::ok, "status is not ok"); }),
        run([&](std::uint64_t) {
            need(storage->sweep(std::array<BlobHash, 1>{hash_of(1)}, SequenceNumber{1000}), "sweep");
        }),
    };
    for (std::thread& thread : threads)
        thread.join();
    require(first_failure.empty(), "{}", first_failure);
    require(last(*storage) == 501, "last_sequence is {}, not 501", last(*storage));
}

} // namespace

void check_storage(const Source& source, const std::string& folder, const CheckListener& listener)
{
    static constexpr std::array together{Check{"serves_its_parts_at_once", serves_its_parts_at_once}};
    for (const auto& checks : {journal_checks(), history_checks(), std::span<const Check>(together)})
        for (const Check& check : checks)
            run_check(listener, check.name, [&] {
                Fixture fixture(source, folder, check.name);
                check.run(fixture);
            });
}

} // namespace jarvis::plugin
