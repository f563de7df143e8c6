// This side's certificate, key and authority, ready for handshakes, and how they are taken up anew when their files change.
#pragma once

#include "pki/certificate.hpp"
#include "pki/peer_check.hpp"

#include <boost/asio/awaitable.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

struct ssl_ctx_st;     // OpenSSL's SSL_CTX
struct ssl_session_st; // and SSL_SESSION

namespace jarvis::wire {

namespace asio = boost::asio;

struct TlsFiles {
    std::string authority;
    std::string certificate;
    std::string key;
};

// One set of files as it was read; never changed, so threads may share it.
class TlsContext {
    std::shared_ptr<ssl_ctx_st> context_;
    pki::Certificate authority_;
    pki::Certificate certificate_;
    pki::Key key_;
    pki::Identity identity_;

    TlsContext(std::shared_ptr<ssl_ctx_st> context, pki::Certificate authority, pki::Certificate certificate, pki::Key key,
               pki::Identity identity);

public:
    // For this role; the three must fit together. A certificate that is not valid now is no failure: peers refuse it, and
    // it may be renewed.
    static Result<std::shared_ptr<const TlsContext>> load(const TlsFiles& files, pki::Role role);

    ssl_ctx_st* get() const { return context_.get(); }
    const pki::Certificate& certificate() const { return certificate_; }
    const pki::Certificate& authority() const { return authority_; }
    const pki::Key& key() const { return key_; }
    const pki::Identity& identity() const { return identity_; }
    std::string cluster_name() const { return certificate_.cluster_name(); }
    // What is expected of peers of that role.
    pki::Expected expect(pki::Role role) const { return {role, identity_.cluster, cluster_name()}; }
};
using TlsContextPtr = std::shared_ptr<const TlsContext>;

// The current set of some files. On one executor.
class TlsCredentials {
public:
    struct Note {
        bool warning = false;
        std::string text;
    };
    using Log = std::function<void(const Note&)>;

private:
    struct Stamp {
        std::int64_t modified_ns = 0;
        std::uint64_t inode = 0;
        std::int64_t size = -1;
        friend bool operator==(const Stamp&, const Stamp&) = default;
    };
    using Stamps = std::array<Stamp, 3>;

    TlsFiles files_;
    pki::Role role_;
    TlsContextPtr current_;
    Stamps stamps_;
    std::optional<WallTime> warned_;

    TlsCredentials(TlsFiles files, pki::Role role, TlsContextPtr current, Stamps stamps);
    static Stamps look(const TlsFiles& files);

public:
    static Result<std::shared_ptr<TlsCredentials>> open(TlsFiles files, pki::Role role);

    // For new handshakes; what was made with an older one goes on with that.
    const TlsContextPtr& context() const { return current_; }
    // Takes up files that have changed, if they are good and of the same identity; what came of that, if anything did.
    std::optional<Note> refresh();
    // Once a day from thirty days before the end of the certificate or of its authority on.
    std::optional<Note> expiry(WallTime now);
    // Does both for ever, every few seconds.
    static asio::awaitable<void> watch(std::shared_ptr<TlsCredentials> credentials, Log log);
};

// The last session with each address, for shorter handshakes. On one executor.
class TlsSessions {
    struct Kept {
        std::shared_ptr<ssl_session_st> session;
        TlsContextPtr made_with;
    };
    std::map<std::string, Kept> kept_;

public:
    void keep(const std::string& address, std::shared_ptr<ssl_session_st> session, TlsContextPtr made_with);
    // Only for the certificate that it was made with.
    std::shared_ptr<ssl_session_st> find(const std::string& address, const TlsContext& context) const;
};

} // namespace jarvis::wire
