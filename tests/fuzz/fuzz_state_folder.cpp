// Bytes as damage to the files of a controller's state folder: journal with blobs, history and snapshots, as the storage plugin
// wrote them. The controller recovers what it can and says what it cannot; what it recovers can be stored, and it goes on.
#include "cluster/apply.hpp"
#include "daemon/log.hpp"
#include "draw.hpp"
#include "journal/codec.hpp"
#include "recovery.hpp"
#include "require.hpp"
#include "snapshot.hpp"
#include "temporary_folder.hpp"
#include "unit/journal/values.hpp"

#include <fstream>

using namespace jarvis;

namespace {

using Files = std::map<std::string, std::string>; // by path in the folder

constexpr std::uint64_t snapshot_at = 20;
const BlobHash script{1}, environment{2};

// Without space kept back, which takes longer than all the rest.
jctld::Store store_in(const std::string& folder)
{
    config::PluginSection section{.kind = "storage", .name = "sqlite", .place = {}, .settings = {}};
    section.settings.push_back({.name = "reserve", .value = "0", .key_place = {}, .value_place = {}});
    auto storage = plugin::Storage::load({.file = JARVIS_FUZZ_STORAGE, .section = &section});
    JARVIS_REQUIRE_OK(storage);
    return {std::move(*storage), folder};
}

cluster::State state_after(const std::vector<cluster::EventGroup>& groups, std::size_t count)
{
    cluster::State state;
    for (std::size_t i = 0; i < count; ++i)
        cluster::apply(state, groups[i]);
    return state;
}

void write_snapshot(jctld::Store& store, const cluster::State& state)
{
    const auto written = store.use([&](plugin::Storage& storage) -> Result<void> {
        auto writer = storage.begin_snapshot(state.sequence);
        if (!writer)
            return std::unexpected(writer.error());
        if (auto encoded = journal::encode_snapshot(state, [&](std::string_view piece) { return writer->write(piece); }); !encoded)
            return encoded;
        return writer->commit();
    });
    JARVIS_REQUIRE(written);
}

void write_history(jctld::Store& store, SequenceNumber through)
{
    const plugin::HistoryRow row{.sequence = through, .job = JobId{1}, .incarnation = Incarnation{1}, .uid = 1000, .state = JobState::completed,
                                 .user = "alice", .submitted = {}, .started = {}, .ended = {}, .record = "a record"};
    JARVIS_REQUIRE(store.use([&](plugin::Storage& storage) { return storage.apply_history(through, std::span(&row, 1)); }));
}

Files read_files(const std::string& folder)
{
    Files files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
        if (entry.is_regular_file() && entry.path().filename() != "reserve" && entry.path().filename() != "lock") {
            std::ifstream file(entry.path(), std::ios::binary);
            files[std::filesystem::relative(entry.path(), folder)] = {std::istreambuf_iterator<char>(file), {}};
        }
    return files;
}

void write_files(const Files& files, const std::string& folder)
{
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder + "/snapshots");
    for (const auto& [path, bytes] : files)
        std::ofstream(folder + "/" + path, std::ios::binary) << bytes;
}

// A history of every kind of event, with two snapshots.
void fill_folder(const std::string& folder)
{
    const auto groups = journal::test::groups_of(journal::test::history());
    auto store = store_in(folder);
    const auto opened = store.open(plugin::StorageMode::read_write);
    JARVIS_REQUIRE_OK(opened);
    const plugin::Blob blobs[] = {{script, "#!/bin/sh\n"}, {environment, "\x0a\x03" "A=1"}};
    for (const auto& group : groups) {
        const auto bytes = journal::encode_group(group);
        const plugin::Group stored{.sequence = group.sequence, .data = bytes, .blobs = blobs};
        JARVIS_REQUIRE(store.append(std::span(&stored, 1)));
    }
    write_snapshot(store, state_after(groups, snapshot_at));
    write_snapshot(store, state_after(groups, groups.size() - 1));
    write_history(store, SequenceNumber{snapshot_at});
}

void damage(fuzz::Draw& draw, Files& files)
{
    while (!draw.done()) {
        auto& bytes = std::next(files.begin(), draw.below(files.size()))->second;
        const auto kind = draw.below(4);
        const std::size_t at = (draw.byte() << 16 | draw.byte() << 8 | draw.byte()) % (bytes.size() + 1);
        const auto text = draw.text();
        if (kind == 3)
            bytes.resize(at);
        else if (kind == 2)
            bytes.insert(at, text);
        else
            bytes.replace(at, std::min(text.size(), bytes.size() - at), text);
    }
}

void read_blobs_and_history(jctld::Store& store)
{
    for (const auto& hash : {script, environment})
        (void)store.use([&](plugin::Storage& storage) { return storage.blob(hash); });
    (void)store.use([&](plugin::Storage& storage) {
        return storage.query_history({}, [](const plugin::HistoryRow& row) { return row.user.size() + row.record.size() < 1'000'000; });
    });
}

// What is appended is there when the storage is opened again.
void go_on(jctld::Store& store, cluster::State state)
{
    const SequenceNumber next{state.sequence.value + 1};
    const auto bytes = journal::encode_group({.sequence = next, .at = state.now, .events = {cluster::WallClockSet{}}, .causes = {}});
    const plugin::Group group{.sequence = next, .data = bytes, .blobs = {}};
    if (!store.append(std::span(&group, 1)) || !store.reopen())
        return;
    bool found = false;
    const auto read = store.use([&](plugin::Storage& storage) {
        return storage.read(next, [&](SequenceNumber sequence, std::string_view stored) {
            found = found || (sequence == next && stored == bytes);
            return true;
        });
    });
    JARVIS_REQUIRE(!read || found);
}

void recover(const std::string& folder)
{
    auto store = store_in(folder);
    if (!store.open(plugin::StorageMode::read_write))
        return;
    const auto history = store.use([](plugin::Storage& storage) { return storage.history_last_sequence(); });
    const auto recovered = jctld::recover_state(store, history ? std::optional(*history) : std::nullopt,
                                                [](const cluster::State&, const jctld::EndedJobs&) {});
    read_blobs_and_history(store);
    if (!recovered)
        return;
    fuzz::check_stored_form(recovered->state);
    go_on(store, recovered->state);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const fuzz::TemporaryFolder folder;
    static const Files sound = [] {
        JARVIS_REQUIRE(daemon::open_log({.program = "fuzz", .file = "/dev/null", .level = daemon::LogLevel::error}));
        const auto path = folder.path() + "/sound";
        std::filesystem::create_directories(path);
        fill_folder(path);
        return read_files(path);
    }();
    fuzz::Draw draw(data, size);
    auto files = sound;
    damage(draw, files);
    write_files(files, folder.path() + "/damaged");
    recover(folder.path() + "/damaged");
    return 0;
}
