// kill -9 in the middle of appends: what was acknowledged is there, what was not is there whole or not at all.
#include "support.hpp"

#include <csignal>
#include <random>
#include <thread>

#include <sys/wait.h>

using namespace jarvis;
using namespace jarvis::plugin;

namespace {

// In the child: appends without end, and tells the last acknowledged number through the pipe.
[[noreturn]] void append_for_ever(const std::string& folder, int acknowledge)
{
    auto source = Source{.file = plugin_file(PLUGINS, "storage", "sqlite")};
    auto storage = Storage::load(source);
    if (!storage || !(*storage)->open(folder))
        ::_exit(1);
    std::uint64_t next = (*storage)->last_sequence()->value + 1;
    for (;;) {
        std::vector<std::string> data;
        std::vector<Group> groups;
        std::vector<Blob> blobs;
        const std::uint64_t count = 1 + next % 7;
        for (std::uint64_t i = 0; i < count; ++i) {
            data.push_back(fmt::format("group {}", next + i));
            BlobHash hash{};
            std::memcpy(hash.data(), &next, sizeof next);
            hash[8] = static_cast<std::uint8_t>(i);
            blobs.push_back({hash, std::string_view("blob")});
        }
        for (std::uint64_t i = 0; i < count; ++i)
            groups.push_back({SequenceNumber{next + i}, data[i], std::span(&blobs[i], 1), false});
        if (!(*storage)->append(groups))
            ::_exit(2);
        next += count;
        const std::uint64_t last = next - 1;
        if (::write(acknowledge, &last, sizeof last) != sizeof last)
            ::_exit(3);
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(nothing_acknowledged_is_lost_by_a_kill)
{
    const Folder folder("kill");
    const auto seed = std::random_device{}();
    BOOST_TEST_MESSAGE("seed " << seed);
    std::mt19937 random(seed);
    std::uint64_t acknowledged = 0;
    for (int round = 0; round < 10; ++round) {
        int pipe[2];
        BOOST_REQUIRE(::pipe(pipe) == 0);
        const pid_t child = ::fork();
        if (child == 0)
            append_for_ever(folder.path(), pipe[1]);
        ::close(pipe[1]);
        std::this_thread::sleep_for(std::chrono::milliseconds(20 + random() % 80));
        ::kill(child, SIGKILL);
        std::uint64_t number = 0;
        while (::read(pipe[0], &number, sizeof number) == sizeof number)
            acknowledged = number;
        ::close(pipe[0]);
        int status = 0;
        ::waitpid(child, &status, 0);
        BOOST_REQUIRE(WIFSIGNALED(status));

        auto storage = load_storage("sqlite");
        open(*storage, folder.path());
        BOOST_TEST(last(*storage) >= acknowledged);
        std::uint64_t expected = 1;
        const auto read = storage->read(SequenceNumber{1}, [&](SequenceNumber sequence, std::string_view data) {
            BOOST_REQUIRE(sequence.value == expected);
            BOOST_REQUIRE(data == fmt::format("group {}", expected));
            ++expected;
            return true;
        });
        BOOST_REQUIRE_MESSAGE(read.has_value(), read.error().message);
        BOOST_TEST(expected == last(*storage) + 1);
    }
    BOOST_TEST(acknowledged > 0u);
}
