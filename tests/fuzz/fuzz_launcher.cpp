// Bytes to the launcher's socket, from several peers in turn: each piece is a byte that says who sends, a byte of length, and the bytes. What
// arrives as a message is turned into what a runtime plugin is given.
#include "draw.hpp"
#include "launch_data.hpp"
#include "local_socket.hpp"
#include "log.hpp"
#include "node_connection.hpp"
#include "require.hpp"
#include "temporary_folder.hpp"

#include <cstring>
#include <poll.h>

using namespace jarvis;

// The launcher's log is standard error, where the fuzzer says what it finds.
void shepherd::write_log(std::string_view, std::string_view message) { JARVIS_REQUIRE(!message.empty()); }

namespace {

constexpr std::size_t peers = 3;

// Every text and list of an order can be read to its end.
void check_launch(const wire::LaunchOrder& order)
{
    const shepherd::LaunchData data(order, order.cgroup(), -1);
    const auto& launch = data.get();
    std::size_t arguments = 0, variables = 0;
    for (const char* const* at = launch.argv; *at; ++at, ++arguments)
        (void)std::strlen(*at);
    for (const char* const* at = launch.envp; *at; ++at, ++variables)
        (void)std::strlen(*at);
    JARVIS_REQUIRE(arguments == static_cast<std::size_t>(order.arguments_size()) + 1);
    JARVIS_REQUIRE(variables == static_cast<std::size_t>(order.environment_size()));
    JARVIS_REQUIRE(launch.group_count == static_cast<std::uint32_t>(order.account().groups_size()));
    for (std::uint32_t i = 0; i < launch.limit_count; ++i)
        JARVIS_REQUIRE(launch.limits[i].resource >= 0);
}

class Launcher {
    shepherd::NodeConnection connection_;
    std::string path_;
    Fd sockets_[peers];

    void handle()
    {
        std::vector<pollfd> waits;
        connection_.add_to(waits);
        ::poll(waits.data(), waits.size(), 0);
        connection_.handle(waits, [] {}, [this](const wire::ToLauncher& message, const std::string& bytes) { take(message, bytes); });
    }
    void take(const wire::ToLauncher& message, const std::string& bytes)
    {
        wire::ToLauncher again;
        JARVIS_REQUIRE(connection_.connected() && again.ParseFromString(bytes));
        if (message.has_launch())
            check_launch(message.launch());
        wire::FromLauncher answer;
        (void)answer.mutable_list();
        connection_.send(answer);
        connection_.flush();
    }

public:
    explicit Launcher(std::string path) : path_(std::move(path)) { JARVIS_REQUIRE(connection_.listen(path_)); }
    ~Launcher() { connection_.stop_listening(); }

    void send(std::size_t peer, std::string_view bytes)
    {
        auto& socket = sockets_[peer];
        if (!socket) {
            socket = fuzz::connect_to(path_);
            handle();
        }
        if (bytes.empty() || !fuzz::send_now(socket, bytes))
            socket = Fd(); // it hangs up, or was hung up on
        handle();
    }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const fuzz::TemporaryFolder folder;
    Launcher launcher(folder.path() + "/launcher.sock");
    for (fuzz::Draw draw(data, size); !draw.done();) {
        const auto peer = draw.below(peers);
        launcher.send(peer, draw.text());
    }
    return 0;
}
