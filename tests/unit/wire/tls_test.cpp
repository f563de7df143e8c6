// TLS channels over real sockets on loopback, with certificates that jadmin pki would make.
#include "wire/tls_channel.hpp"

#include "../pki/temporary_pki.hpp"
#include "pki/files.hpp"

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

using namespace jarvis;
using namespace std::chrono_literals;
using pki::has, pki::failure, pki::days;
namespace asio = boost::asio;

namespace {

WallTime now() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

template <class T>
asio::awaitable<void> keep(asio::awaitable<T> task, std::optional<T>& into)
{
    into = co_await std::move(task);
}

// A cluster's certificates, a listener, and what each side has loaded.
struct Site {
    pki::TemporaryPki files;
    asio::io_context loop{1};
    asio::thread_pool pool{2};
    std::unique_ptr<wire::TcpListener> listener;
    std::shared_ptr<wire::TlsSessions> sessions = std::make_shared<wire::TlsSessions>();
    std::chrono::milliseconds handshake_limit = 10s;
    HostPort address;

    explicit Site(const std::string& cluster = "hpc", const std::string& host = "127.0.0.1", const std::optional<pki::Uuid>& uuid = {})
    {
        auto made = pki::init(files.path, cluster, uuid, {.now = now()});
        BOOST_REQUIRE_MESSAGE(made, failure(made));
        files.node("n1", {.now = now()});
        auto opened = wire::TcpListener::open(loop.get_executor(), {host, 0});
        BOOST_REQUIRE_MESSAGE(opened, failure(opened));
        listener = std::move(*opened);
        address = *parse_host_port(listener->address(), 0);
    }
    ~Site() { pool.join(); }

    wire::TlsFiles tls_files(std::string_view name) const
    {
        const auto paths = pki::paths(files.path, name);
        return {pki::paths(files.path, "ca").certificate, paths.certificate, paths.key};
    }
    wire::TlsContextPtr load(std::string_view name, pki::Role role) const
    {
        auto context = wire::TlsContext::load(tls_files(name), role);
        BOOST_REQUIRE_MESSAGE(context, failure(context));
        return *context;
    }
    wire::TlsContextPtr controller() const { return load("controller", pki::Role::controller); }
    wire::TlsContextPtr node(std::string_view name = "n1") const { return load(name, pki::Role::node); }

    void run(asio::awaitable<void> test)
    {
        std::exception_ptr error;
        asio::co_spawn(loop, std::move(test), [&](std::exception_ptr e) { error = e; });
        loop.restart();
        loop.run_for(60s);
        BOOST_REQUIRE(loop.stopped());
        if (error)
            std::rethrow_exception(error);
    }
    asio::awaitable<Result<wire::ChannelPtr>> accept(wire::TlsContextPtr context, pki::Role expected)
    {
        auto connection = co_await listener->accept(loop.get_executor());
        BOOST_REQUIRE(connection);
        auto channel = co_await wire::accept_tls(std::move(*connection), context, expected, pool, handshake_limit);
        co_return channel;
    }
    asio::awaitable<Result<wire::ChannelPtr>> dial(wire::TlsContextPtr context, pki::Role expected)
    {
        wire::DialOptions options;
        options.expected = expected;
        options.limit = 10s;
        const std::array addresses{address};
        auto channel = co_await wire::connect_tls(addresses, context, sessions, options);
        co_return channel;
    }
};

// What both sides make of each other; the client's second word, since in TLS 1.3 it hears of a refusal when it reads.
struct Meeting {
    std::optional<Result<wire::ChannelPtr>> server, client;
    std::optional<Result<std::optional<std::string>>> heard; // by the client

    std::string server_failure() const { return failure(*server); }
    std::string client_failure() const { return !*client ? failure(*client) : failure(*heard); }
};

struct Sides {
    wire::TlsContextPtr server, client;
    pki::Role server_expects = pki::Role::node, client_expects = pki::Role::controller;
};

Meeting meet(Site& site, Sides sides)
{
    using namespace asio::experimental::awaitable_operators;
    Meeting meeting;
    auto serve = [&]() -> asio::awaitable<void> {
        meeting.server = co_await site.accept(sides.server, sides.server_expects);
        if (*meeting.server)
            BOOST_TEST((**meeting.server)->send(std::string_view("welcome")).has_value());
    };
    auto ask = [&]() -> asio::awaitable<void> {
        meeting.client = co_await site.dial(sides.client, sides.client_expects);
        if (*meeting.client)
            meeting.heard = co_await (**meeting.client)->read_frame();
    };
    site.run(serve() && ask());
    return meeting;
}

bool welcomed(const Meeting& meeting)
{
    BOOST_TEST_INFO("server: " << meeting.server_failure());
    BOOST_TEST_INFO("client: " << meeting.client_failure());
    return *meeting.server && *meeting.client && meeting.heard && *meeting.heard && **meeting.heard == "welcome";
}

} // namespace

BOOST_AUTO_TEST_SUITE(tls)

BOOST_AUTO_TEST_CASE(a_node_and_its_controller_know_each_other)
{
    for (const auto* host : {"127.0.0.1", "::1"}) {
        Site site("hpc", host);
        const auto meeting = meet(site, {site.controller(), site.node()});
        BOOST_REQUIRE(welcomed(meeting));
        const auto node = (**meeting.server)->identity();
        const auto controller = (**meeting.client)->identity();
        BOOST_REQUIRE((node && controller));
        BOOST_TEST((node->identity.role == pki::Role::node));
        BOOST_TEST(node->identity.name == "n1");
        BOOST_TEST((controller->identity.role == pki::Role::controller));
        BOOST_TEST((controller->identity.cluster == node->identity.cluster));
        BOOST_TEST(pki::Certificate::from_der(controller->certificate)->fingerprint() == site.controller()->certificate().fingerprint());
        BOOST_TEST(!(**meeting.server)->credentials());
        BOOST_TEST(has((**meeting.server)->description(), "certificate of node n1") == false);
        BOOST_TEST(has((**meeting.server)->description(), "node n1 at "));
    }
}

BOOST_AUTO_TEST_CASE(frames_of_all_sizes_both_ways)
{
    using namespace asio::experimental::awaitable_operators;
    Site site;
    auto serve = [&]() -> asio::awaitable<void> {
        auto channel = (co_await site.accept(site.controller(), pki::Role::node)).value();
        channel->set_max_frame(4 << 20);
        for (;;) {
            auto frame = (co_await channel->read_frame()).value();
            if (!frame)
                co_return;
            BOOST_TEST(channel->send(std::string_view(*frame)).has_value());
        }
    };
    auto ask = [&]() -> asio::awaitable<void> {
        auto channel = (co_await site.dial(site.node(), pki::Role::controller)).value();
        channel->set_max_frame(4 << 20);
        for (std::size_t size : {0, 1, 70'000, 3'000'000}) {
            std::string payload(size, static_cast<char>('a' + size % 26));
            BOOST_TEST(channel->send(std::string_view(payload)).has_value());
            auto echo = (co_await channel->read_frame()).value();
            BOOST_REQUIRE(echo.has_value());
            BOOST_TEST((*echo == payload));
        }
        channel->close();
        BOOST_TEST(!channel->send(std::string_view("x")).has_value());
    };
    site.run(serve() && ask());
}

BOOST_AUTO_TEST_CASE(another_cluster_is_refused_on_both_sides)
{
    Site site, other("lab");
    const auto node_of_other = meet(site, {site.controller(), other.node()});
    BOOST_TEST(has(node_of_other.client_failure(), "certificate of controller controller is of another cluster: of \"hpc\" with the UUID"));
    BOOST_TEST(has(node_of_other.client_failure(), "this is \"lab\" with the UUID"));
    BOOST_TEST(has(node_of_other.server_failure(), "the peer refuses the certificate of controller controller"));
    BOOST_TEST(has(node_of_other.server_failure(), "it is of another cluster, or of another authority"));
    BOOST_TEST((node_of_other.client->error().code == Errc::denied));
}

BOOST_AUTO_TEST_CASE(another_authority_for_the_same_cluster_is_refused)
{
    Site site;
    Site other("hpc", "127.0.0.1", site.controller()->identity().cluster);
    const auto meeting = meet(site, {site.controller(), other.node()});
    BOOST_TEST(has(meeting.client_failure(), "certificate of controller controller was not made by the certificate authority of this cluster"));
    BOOST_TEST(!*meeting.server);
}

BOOST_AUTO_TEST_CASE(another_role_is_refused_on_both_sides)
{
    Site site;
    site.files.node("n2", {.now = now()});
    // A node that listens in the controller's place.
    auto meeting = meet(site, {site.node("n2"), site.node(), pki::Role::node, pki::Role::controller});
    BOOST_TEST(has(meeting.client_failure(), "certificate of node n2 cannot be used here: a controller is expected"));
    BOOST_TEST(has(meeting.server_failure(), "the peer refuses the certificate of node n2"));
    BOOST_TEST(has(meeting.server_failure(), "it expects another role"));
    // A controller that dials a controller: the server refuses, and the client hears of it.
    meeting = meet(site, {site.controller(), site.controller(), pki::Role::node, pki::Role::controller});
    BOOST_TEST(has(meeting.server_failure(), "certificate of controller controller cannot be used here: a node is expected"));
    BOOST_TEST(has(meeting.client_failure(), "the peer refuses the certificate of controller controller"));
    BOOST_TEST(has(meeting.client_failure(), "it expects another role"));
}

BOOST_AUTO_TEST_CASE(an_expired_certificate_is_refused_on_both_sides)
{
    Site site;
    site.files.node("n3", {.now = now(), .not_before = now() - days(20), .not_after = now() - days(1)});
    auto meeting = meet(site, {site.controller(), site.node("n3")});
    BOOST_TEST(has(meeting.server_failure(), "certificate of node n3 expired on "));
    BOOST_TEST(has(meeting.server_failure(), "connection from 127.0.0.1:"));
    BOOST_TEST(has(meeting.client_failure(), "the peer refuses the certificate of node n3 (valid from "));
    BOOST_TEST(has(meeting.client_failure(), "by its clock it has expired"));
    // The controller's.
    const std::vector<std::string> controller{"controller"};
    BOOST_REQUIRE(pki::renew(site.files.path, controller, {.now = now(), .not_before = now() - days(20), .not_after = now() - days(1)}));
    meeting = meet(site, {site.controller(), site.node()});
    BOOST_TEST(has(meeting.client_failure(), "certificate of controller controller expired on "));
    BOOST_TEST(has(meeting.server_failure(), "the peer refuses the certificate of controller controller"));
    BOOST_TEST(has(meeting.server_failure(), "by its clock it has expired"));
}

BOOST_AUTO_TEST_CASE(a_certificate_of_the_future_hints_at_the_clocks)
{
    Site site;
    site.files.node("n4", {.now = now(), .not_before = now() + 2h});
    const auto meeting = meet(site, {site.controller(), site.node("n4")});
    BOOST_TEST(has(meeting.server_failure(), "certificate of node n4 is not valid before "));
    BOOST_TEST(has(meeting.server_failure(), "are the clocks apart?"));
    BOOST_TEST(has(meeting.client_failure(), "by its clock it is not valid yet; are the clocks apart?"));
}

BOOST_AUTO_TEST_CASE(an_expired_authority_is_named)
{
    Site site;
    const std::vector<std::string> ca{"ca"};
    BOOST_REQUIRE(pki::renew(site.files.path, ca, {.now = now(), .not_before = now() - days(20), .not_after = now() - days(1)}));
    const auto meeting = meet(site, {site.controller(), site.node()});
    BOOST_TEST(has(meeting.client_failure(), "certificate of certificate authority of cluster hpc expired on "));
    BOOST_TEST(!*meeting.server);
}

BOOST_AUTO_TEST_CASE(garbage_and_silence_in_the_place_of_a_handshake)
{
    using namespace asio::experimental::awaitable_operators;
    Site site;
    for (const std::string& garbage : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(1000, '\0'), std::string("\x16\x03\x01\xff\xff garbage")}) {
        std::optional<Result<wire::ChannelPtr>> server;
        site.handshake_limit = 500ms; // the last one announces more than it sends
        auto ask = [&]() -> asio::awaitable<void> {
            asio::ip::tcp::socket socket(site.loop);
            co_await socket.async_connect({asio::ip::make_address("127.0.0.1"), site.address.port}, asio::use_awaitable);
            co_await asio::async_write(socket, asio::buffer(garbage), asio::use_awaitable);
            std::string rest;
            co_await asio::async_read(socket, asio::dynamic_buffer(rest), asio::as_tuple(asio::use_awaitable)); // until it is closed
        };
        site.run(keep(site.accept(site.controller(), pki::Role::node), server) && ask());
        BOOST_TEST(has(failure(*server), "connection from 127.0.0.1:"));
        BOOST_TEST((server->error().code == Errc::corrupt || server->error().code == Errc::unavailable));
    }
    std::optional<Result<wire::ChannelPtr>> server;
    auto stall = [&]() -> asio::awaitable<void> {
        asio::ip::tcp::socket socket(site.loop);
        co_await socket.async_connect({asio::ip::make_address("127.0.0.1"), site.address.port}, asio::use_awaitable);
        char byte = 0;
        co_await socket.async_read_some(asio::buffer(&byte, 1), asio::as_tuple(asio::use_awaitable));
    };
    site.handshake_limit = 300ms;
    site.run(keep(site.accept(site.controller(), pki::Role::node), server) && stall());
    BOOST_TEST(has(failure(*server), "no TLS handshake within 300 ms"));
}

BOOST_AUTO_TEST_CASE(a_peer_that_closes_in_the_handshake)
{
    using namespace asio::experimental::awaitable_operators;
    Site site;
    std::optional<Result<wire::ChannelPtr>> server;
    auto close = [&]() -> asio::awaitable<void> {
        asio::ip::tcp::socket socket(site.loop);
        co_await socket.async_connect({asio::ip::make_address("127.0.0.1"), site.address.port}, asio::use_awaitable);
        socket.close();
    };
    site.run(keep(site.accept(site.controller(), pki::Role::node), server) && close());
    BOOST_TEST(has(failure(*server), "TLS handshake: the peer closed the connection"));
}

BOOST_AUTO_TEST_CASE(a_node_that_comes_back_resumes_also_after_a_restart_of_the_controller)
{
    Site site;
    const auto controller = site.controller(), node = site.node();
    auto first = meet(site, {controller, node});
    BOOST_REQUIRE(welcomed(first));
    BOOST_TEST(!has((**first.server)->description(), "resumed"));
    auto again = meet(site, {controller, node});
    BOOST_REQUIRE(welcomed(again));
    BOOST_TEST(has((**again.server)->description(), "(TLS, resumed)"));
    BOOST_TEST(has((**again.client)->description(), "(TLS, resumed)"));
    BOOST_TEST((**again.server)->identity()->identity.name == "n1");
    // The same files in another process: what the tickets are sealed with follows from them.
    auto restarted = meet(site, {site.controller(), node});
    BOOST_REQUIRE(welcomed(restarted));
    BOOST_TEST(has((**restarted.server)->description(), "(TLS, resumed)"));
}

BOOST_AUTO_TEST_CASE(a_session_does_not_outlive_the_certificate)
{
    Site site;
    const auto soon = now() + 3s;
    site.files.node("n5", {.now = now(), .not_after = soon});
    const auto controller = site.controller(), node = site.node("n5");
    BOOST_REQUIRE(welcomed(meet(site, {controller, node})));
    while (now() <= soon + 1s)
        std::this_thread::sleep_for(100ms);
    const auto meeting = meet(site, {controller, node});
    BOOST_TEST(has(meeting.server_failure(), "certificate of node n5 expired on "));
    BOOST_TEST(has(meeting.client_failure(), "the peer refuses the certificate of node n5"));
}

BOOST_AUTO_TEST_CASE(renewed_files_are_taken_up_without_a_restart)
{
    Site site;
    auto controller = wire::TlsCredentials::open(site.tls_files("controller"), pki::Role::controller);
    auto node = wire::TlsCredentials::open(site.tls_files("n1"), pki::Role::node);
    BOOST_REQUIRE((controller && node));
    BOOST_REQUIRE(welcomed(meet(site, {(*controller)->context(), (*node)->context()})));
    BOOST_TEST(!(*node)->refresh());
    const auto before = (*node)->context()->certificate().fingerprint();

    BOOST_REQUIRE(pki::renew(site.files.path, {}, {.now = now(), .days = 500}));
    const auto note = (*node)->refresh();
    BOOST_REQUIRE(note);
    BOOST_TEST(!note->warning);
    BOOST_TEST(has(note->text, "took up a renewed certificate: certificate of node n1, valid until "));
    BOOST_TEST((*node)->context()->certificate().fingerprint() != before);
    BOOST_REQUIRE((*controller)->refresh());
    const auto meeting = meet(site, {(*controller)->context(), (*node)->context()});
    BOOST_REQUIRE(welcomed(meeting));
    // The new certificate is shown, and not the old session taken up.
    BOOST_TEST(!has((**meeting.server)->description(), "resumed"));
    BOOST_TEST(pki::Certificate::from_der((**meeting.server)->identity()->certificate)->fingerprint() ==
               (*node)->context()->certificate().fingerprint());
}

BOOST_AUTO_TEST_CASE(bad_files_leave_the_old_certificate_in_use)
{
    Site site;
    site.files.node("n2", {.now = now()});
    auto node = wire::TlsCredentials::open(site.tls_files("n1"), pki::Role::node);
    BOOST_REQUIRE(node);
    const auto before = (*node)->context();
    const auto path = site.tls_files("n1").certificate;
    BOOST_REQUIRE(pki::write_file(path, "garbage", 0644));
    auto note = (*node)->refresh();
    BOOST_REQUIRE((note && note->warning));
    BOOST_TEST(has(note->text, "cannot be used; certificate of node n1, valid until"));
    BOOST_TEST(has(note->text, "holds no certificate"));
    BOOST_TEST(!(*node)->refresh()); // said once
    BOOST_REQUIRE(pki::write_file(path, *pki::read_file(site.tls_files("n2").certificate), 0644));
    note = (*node)->refresh();
    BOOST_REQUIRE((note && note->warning));
    BOOST_TEST(has(note->text, "is not the key of"));
    BOOST_TEST(((*node)->context() == before));
}

BOOST_AUTO_TEST_CASE(the_end_is_warned_of_once_a_day)
{
    Site site;
    auto node = wire::TlsCredentials::open(site.tls_files("n1"), pki::Role::node);
    BOOST_REQUIRE(node);
    const auto end = (*node)->context()->certificate().not_after();
    BOOST_TEST(!(*node)->expiry(end - days(40)));
    const auto note = (*node)->expiry(end - days(30));
    BOOST_REQUIRE(note);
    BOOST_TEST(has(note->text, "certificate of node n1 expires on"));
    BOOST_TEST(!(*node)->expiry(end - days(30) + 23h));
    BOOST_TEST((*node)->expiry(end - days(29)).has_value());
}

BOOST_AUTO_TEST_CASE(files_that_do_not_fit_together_are_refused)
{
    Site site, other("lab");
    const auto load = [&](wire::TlsFiles files, pki::Role role) { return failure(wire::TlsContext::load(files, role)); };
    auto files = site.tls_files("n1");
    BOOST_TEST(has(load(files, pki::Role::controller), "is the certificate of node n1; that of a controller is needed"));
    files.authority = other.tls_files("n1").authority;
    BOOST_TEST(has(load(files, pki::Role::node), "was not made by the authority of"));
    files = site.tls_files("n1");
    files.key = site.tls_files("controller").key;
    BOOST_TEST(has(load(files, pki::Role::node), "is not the key of"));
    files.key = "/nowhere.key";
    BOOST_TEST(has(load(files, pki::Role::node), "cannot open /nowhere.key: no such file or directory"));
}

BOOST_AUTO_TEST_CASE(all_addresses_are_tried_and_names_that_do_not_resolve_are_told)
{
    using namespace asio::experimental::awaitable_operators;
    Site site;
    const auto controller = site.controller(), node = site.node();
    // A port that nobody listens on.
    const auto closed = [&] {
        auto free = wire::TcpListener::open(site.loop.get_executor(), {"127.0.0.1", 0});
        return *parse_host_port((*free)->address(), 0);
    }();
    const std::vector<HostPort> addresses{{"no-such-host.invalid", 6820}, closed, {"localhost", site.address.port}};
    wire::DialOptions options;
    std::optional<Result<wire::ChannelPtr>> server, client;
    site.run(keep(site.accept(controller, pki::Role::node), server) && keep(wire::connect_tls(addresses, node, site.sessions, options), client));
    BOOST_TEST_INFO(failure(*client));
    BOOST_TEST(client->has_value());

    std::optional<Result<wire::ChannelPtr>> none;
    site.run(keep(wire::connect_tls(std::span(addresses).first(2), node, site.sessions, options), none));
    BOOST_TEST(has(failure(*none), "no-such-host.invalid:6820: the name no-such-host.invalid does not resolve: "));
    BOOST_TEST(has(failure(*none), to_string(closed) + ": "));
    BOOST_TEST(has(failure(*none), "refused"));
    BOOST_TEST((none->error().code == Errc::unavailable));
}

BOOST_AUTO_TEST_CASE(both_families_can_have_one_port)
{
    asio::io_context loop;
    auto four = wire::TcpListener::open(loop.get_executor(), {"0.0.0.0", 0});
    BOOST_REQUIRE(four);
    const auto port = parse_host_port((*four)->address(), 0)->port;
    auto six = wire::TcpListener::open(loop.get_executor(), {"::", port});
    BOOST_TEST(six.has_value(), failure(six));
    auto again = wire::TcpListener::open(loop.get_executor(), {"0.0.0.0", port});
    BOOST_TEST(has(failure(again), fmt::format("cannot listen on 0.0.0.0:{}: ", port)));
    BOOST_TEST(has(failure(wire::TcpListener::open(loop.get_executor(), {"head", 6820})), "that is no numeric address"));
}

BOOST_AUTO_TEST_SUITE_END()
