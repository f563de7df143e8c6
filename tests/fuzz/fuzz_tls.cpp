// Bytes as what comes to the port at which nodes meet, over TLS: garbage, or the handshake of somebody with a certificate, or without one,
// some of whose bytes are damaged or missing on their way. Nobody is let in but a node of the cluster, and it always is when nothing was
// damaged; what it says then arrives as it was said, or the connection ends.
#include "draw.hpp"
#include "require.hpp"
#include "temporary_folder.hpp"

#include "pki/authority.hpp"
#include "wire/clocks.hpp"
#include "wire/tls_channel.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <fstream>
#include <future>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace jarvis;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

const pki::Uuid uuid{1, 2, 3, 4};
constexpr std::chrono::milliseconds handshake_limit = 5s;

enum Who { garbage, node, controller, stranger, expired, nobody, count };

struct Authority {
    pki::Key key = *pki::Key::generate();
    pki::Certificate certificate;
    explicit Authority(const pki::Validity& validity)
        : certificate(*pki::make_authority(key, {pki::Role::authority, "hpc", uuid}, validity))
    {
    }
};

// What everybody in the cluster has, and others have not.
struct Site {
    fuzz::TemporaryFolder folder;
    asio::thread_pool pool{1};
    wire::TlsContextPtr context;
    std::shared_ptr<SSL_CTX> clients[Who::count];

    static std::shared_ptr<SSL_CTX> client(const Authority* authority, const pki::Identity& identity, const pki::Validity& validity)
    {
        std::shared_ptr<SSL_CTX> made(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
        SSL_CTX_set_verify(made.get(), SSL_VERIFY_NONE, nullptr);
        if (!authority)
            return made;
        const auto key = *pki::Key::generate();
        const auto certificate = pki::issue({authority->certificate, authority->key}, key, identity, validity);
        JARVIS_REQUIRE_OK(certificate);
        JARVIS_REQUIRE(SSL_CTX_use_certificate(made.get(), certificate->get()) == 1);
        JARVIS_REQUIRE(SSL_CTX_use_PrivateKey(made.get(), key.get()) == 1);
        return made;
    }
    std::string write(const std::string& name, const std::string& text) const
    {
        const auto path = folder.path() + "/" + name;
        std::ofstream(path) << text;
        std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
        return path;
    }

    Site()
    {
        const pki::Validity now{wall_now() - std::chrono::days{2}, wall_now() + std::chrono::days{100}};
        const pki::Validity past{wall_now() - std::chrono::days{2}, wall_now() - std::chrono::days{1}};
        const Authority ours(now), other(now);
        const auto key = *pki::Key::generate();
        const auto own = pki::issue({ours.certificate, ours.key}, key, {pki::Role::controller, "controller", uuid}, now);
        JARVIS_REQUIRE_OK(own);
        const auto loaded = wire::TlsContext::load({.authority = write("ca", *ours.certificate.to_pem()),
                                                    .certificate = write("certificate", *own->to_pem()),
                                                    .key = write("key", *key.to_pem())},
                                                   pki::Role::controller);
        JARVIS_REQUIRE_OK(loaded);
        context = *loaded;
        const pki::Identity n1{pki::Role::node, "n1", uuid};
        clients[Who::node] = client(&ours, n1, now);
        clients[Who::controller] = client(&ours, {pki::Role::controller, "controller", uuid}, now);
        clients[Who::stranger] = client(&other, n1, now);
        clients[Who::expired] = client(&ours, n1, past);
        clients[Who::nobody] = client(nullptr, n1, now);
    }
    ~Site() { pool.join(); }
};

struct Damage {
    std::size_t at;
    char bits;
};

// Who comes: what they send passes through here on its way.
class Client {
    Fd socket_;
    std::unique_ptr<SSL, void (*)(SSL*)> ssl_{nullptr, SSL_free};
    std::vector<Damage> damages_;
    std::size_t cut_;
    std::size_t sent_ = 0;
    bool over_ = false;

    void send(std::string bytes)
    {
        for (const auto& damage : damages_)
            if (damage.at >= sent_ && damage.at - sent_ < bytes.size())
                bytes[damage.at - sent_] = static_cast<char>(bytes[damage.at - sent_] ^ damage.bits);
        if (sent_ + bytes.size() > cut_) {
            bytes.resize(cut_ > sent_ ? cut_ - sent_ : 0);
            over_ = true;
        }
        sent_ += bytes.size();
        if (!bytes.empty() && ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            over_ = true;
    }
    void pass_on()
    {
        char part[16384];
        for (int size = 0; (size = BIO_read(SSL_get_wbio(ssl_.get()), part, sizeof part)) > 0;)
            send({part, static_cast<std::size_t>(size)});
        const auto size = ::recv(socket_.get(), part, sizeof part, MSG_DONTWAIT);
        if (size > 0)
            BIO_write(SSL_get_rbio(ssl_.get()), part, static_cast<int>(size));
        else if (size == 0 || errno != EAGAIN)
            over_ = true;
    }

public:
    Client(Fd socket, SSL_CTX* context, std::vector<Damage> damages, std::size_t cut)
        : socket_(std::move(socket)), damages_(std::move(damages)), cut_(cut)
    {
        if (!context)
            return;
        ssl_.reset(SSL_new(context));
        SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_connect_state(ssl_.get());
    }
    bool over() const { return over_; }
    void say(std::string bytes) { send(std::move(bytes)); }
    // A step of the handshake.
    void shake()
    {
        if (over_)
            return;
        const int done = SSL_do_handshake(ssl_.get());
        const bool failed = done != 1 && SSL_get_error(ssl_.get(), done) != SSL_ERROR_WANT_READ;
        pass_on();
        over_ |= failed;
        ERR_clear_error();
    }
    void write(std::string_view bytes)
    {
        if (!over_ && !bytes.empty() && SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0)
            pass_on();
        ERR_clear_error();
    }
    void hang_up()
    {
        over_ = true;
        socket_ = Fd();
    }
    void wait() const
    {
        pollfd ready{socket_.get(), POLLIN, 0};
        ::poll(&ready, 1, 1);
    }
};

using Accepted = std::optional<Result<wire::ChannelPtr>>;
using Heard = std::optional<Result<std::optional<std::string>>>;

asio::awaitable<void> accept(asio::io_context& io, Site& site, Fd socket, Accepted& into)
{
    asio::ip::tcp::socket connected(io);
    connected.assign(asio::ip::tcp::v4(), socket.release());
    into = co_await wire::accept_tls({std::move(connected), "127.0.0.1:1"}, site.context, pki::Role::node, site.pool,
                                     handshake_limit);
}

asio::awaitable<void> hear(wire::ChannelPtr channel, Heard& into) { into = co_await channel->read_frame(); }

// What the pool's thread does after it has said how the handshake went still refers to the loop.
struct PoolIsIdle {
    asio::thread_pool& pool;
    ~PoolIsIdle()
    {
        std::promise<void> idle;
        asio::post(pool, [&] { idle.set_value(); });
        idle.get_future().wait();
    }
};

template <class Done>
void run_until(asio::io_context& io, Done done)
{
    const auto limit = std::chrono::steady_clock::now() + 2 * handshake_limit;
    while (!done()) {
        JARVIS_REQUIRE(std::chrono::steady_clock::now() < limit);
        io.run_for(1ms);
        io.restart();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static Site site;
    fuzz::Draw draw(data, size);
    const auto who = static_cast<Who>(draw.below(Who::count));
    std::vector<Damage> damages;
    for (auto left = draw.below(4); left > 0; --left)
        damages.push_back({draw.byte() * std::size_t{256} + draw.byte(), static_cast<char>(draw.byte())});
    const auto cut = draw.rarely(4) ? draw.byte() * std::size_t{256} + draw.byte() : std::string::npos;

    int ends[2];
    JARVIS_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    Client client(Fd(ends[1]), site.clients[who].get(), damages, cut);
    asio::io_context io;
    const PoolIsIdle idle{site.pool};
    Accepted accepted;
    asio::co_spawn(io, accept(io, site, Fd(ends[0]), accepted), asio::detached);
    if (who == Who::garbage)
        client.say(std::string(draw.rest()));
    while (who != Who::garbage && !client.over() && !accepted) {
        client.shake();
        io.poll();
        io.restart();
        if (!accepted && !client.over())
            client.wait();
    }
    if (!accepted)
        client.hang_up();
    run_until(io, [&] { return accepted.has_value(); });
    const bool whole = damages.empty() && cut == std::string::npos;
    if (!*accepted) {
        JARVIS_REQUIRE(who != Who::node || !whole);
        JARVIS_REQUIRE(accepted->error().message.starts_with("connection from 127.0.0.1:1: "));
        return 0;
    }
    const auto& channel = **accepted;
    JARVIS_REQUIRE(who == Who::node && channel->identity() && channel->identity()->identity.name == "n1");
    client.shake(); // the client's own end of it
    const auto said = draw.rest();
    client.write(said);
    client.hang_up();
    Heard heard;
    asio::co_spawn(io, hear(channel, heard), asio::detached);
    run_until(io, [&] { return heard.has_value(); });
    wire::FrameReader expected(wire::ChannelOptions().max_frame);
    expected.feed(said);
    const auto frame = expected.next();
    if (whole && *heard)
        JARVIS_REQUIRE(frame && **heard == *frame);
    channel->close();
    io.poll();
    return 0;
}
