#include "wire/tls_context.hpp"

#include "base/units.hpp"
#include "daemon/deadline.hpp"
#include "pki/files.hpp"
#include "pki/openssl.hpp"
#include "pki/secret.hpp"
#include "wire/clocks.hpp"
#include "wire/tls_handshake.hpp"

#include <sys/stat.h>

namespace jarvis::wire {

namespace {

// How long a client may come back without showing its certificate anew; its validity is looked at all the same.
constexpr long session_seconds = 24 * 3600;
// A full handshake gives out one ticket; it may be used again, and each use brings a new one.
constexpr std::size_t tickets = 1;
constexpr auto look_interval = std::chrono::seconds(2);
constexpr auto warn_interval = std::chrono::days(1);

// From the private key, so that tickets outlive a restart, and of this certificate and authority, so that they do not
// outlive either.
Result<void> set_ticket_keys(SSL_CTX* context, const pki::Key& key, const pki::Certificate& certificate, const pki::Certificate& authority)
{
    const long size = SSL_CTX_get_tlsext_ticket_keys(context, nullptr, 0);
    auto secret = pki::derive_secret(key, "jarvis tls tickets", certificate.fingerprint() + authority.fingerprint(), static_cast<std::size_t>(size));
    if (!secret)
        return std::unexpected(secret.error());
    if (SSL_CTX_set_tlsext_ticket_keys(context, secret->data(), size) != 1)
        return std::unexpected(pki::openssl_error("cannot set the keys of session tickets"));
    return {};
}

Result<std::shared_ptr<SSL_CTX>> make_context(const pki::Certificate& authority, const pki::Certificate& certificate, const pki::Key& key,
                                              const pki::Identity& identity)
{
    std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_method()), SSL_CTX_free);
    const bool made = context && SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) == 1 &&
                      SSL_CTX_use_certificate(context.get(), certificate.get()) == 1 &&
                      SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1 &&
                      X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), authority.get()) == 1 &&
                      SSL_CTX_set_session_id_context(context.get(), identity.cluster.data(), static_cast<unsigned>(identity.cluster.size())) == 1 &&
                      SSL_CTX_set_num_tickets(context.get(), tickets) == 1;
    if (!made)
        return std::unexpected(pki::openssl_error("cannot prepare TLS"));
    SSL_CTX_set_verify_depth(context.get(), 1);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_timeout(context.get(), session_seconds);
    if (auto set = set_ticket_keys(context.get(), key, certificate, authority); !set)
        return std::unexpected(set.error());
    set_callbacks(context.get());
    return context;
}

std::string validity_text(const pki::Certificate& certificate)
{
    return fmt::format("{}, valid until {}", pki::describe(certificate), format_rfc3339(certificate.not_after()));
}

} // namespace

// --- TlsContext ---

TlsContext::TlsContext(std::shared_ptr<ssl_ctx_st> context, pki::Certificate authority, pki::Certificate certificate, pki::Key key,
                       pki::Identity identity)
    : context_(std::move(context)), authority_(std::move(authority)), certificate_(std::move(certificate)), key_(std::move(key)),
      identity_(std::move(identity))
{
}

Result<TlsContextPtr> TlsContext::load(const TlsFiles& files, pki::Role role)
{
    auto authority = pki::Certificate::read(files.authority);
    if (!authority)
        return std::unexpected(authority.error());
    auto certificate = pki::Certificate::read(files.certificate);
    if (!certificate)
        return std::unexpected(certificate.error());
    auto identity = certificate->identity();
    if (!identity)
        return fail(identity.error(), "{}", files.certificate);
    if (identity->role != role)
        return fail(Errc::invalid, "{} is the {}; that of a {} is needed", files.certificate, pki::describe(*certificate), pki::name(role));
    if (!certificate->is_signed_by(*authority))
        return fail(Errc::invalid, "{} was not made by the authority of {}", files.certificate, files.authority);
    auto key = pki::Key::read(files.key);
    if (!key)
        return std::unexpected(key.error());
    if (!certificate->belongs_to(*key))
        return fail(Errc::invalid, "{} is not the key of {}", files.key, files.certificate);
    auto context = make_context(*authority, *certificate, *key, *identity);
    if (!context)
        return std::unexpected(context.error());
    return TlsContextPtr(new TlsContext(std::move(*context), std::move(*authority), std::move(*certificate), std::move(*key), std::move(*identity)));
}

// --- TlsCredentials ---

TlsCredentials::TlsCredentials(TlsFiles files, pki::Role role, TlsContextPtr current, Stamps stamps)
    : files_(std::move(files)), role_(role), current_(std::move(current)), stamps_(stamps)
{
}

TlsCredentials::Stamps TlsCredentials::look(const TlsFiles& files)
{
    Stamps stamps;
    for (std::size_t i = 0; const auto* path : {&files.authority, &files.certificate, &files.key}) {
        struct stat info {};
        if (::stat(path->c_str(), &info) == 0)
            stamps[i] = {info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec, info.st_ino, info.st_size};
        ++i;
    }
    return stamps;
}

Result<std::shared_ptr<TlsCredentials>> TlsCredentials::open(TlsFiles files, pki::Role role)
{
    const auto stamps = look(files); // before they are read: what changes meanwhile is seen as a change
    auto context = TlsContext::load(files, role);
    if (!context)
        return std::unexpected(context.error());
    return std::shared_ptr<TlsCredentials>(new TlsCredentials(std::move(files), role, std::move(*context), stamps));
}

std::optional<TlsCredentials::Note> TlsCredentials::refresh()
{
    const auto stamps = look(files_);
    if (stamps == stamps_)
        return std::nullopt;
    stamps_ = stamps;
    auto context = TlsContext::load(files_, role_);
    if (!context)
        return Note{true, fmt::format("the certificate files have changed and cannot be used; {} stays in use: {}",
                                      validity_text(current_->certificate()), context.error().message)};
    if ((*context)->identity() != current_->identity())
        return Note{true, fmt::format("{} holds the certificate of {} of cluster {} now; that takes a restart", files_.certificate,
                                      pki::describe((*context)->identity()), pki::to_string((*context)->identity().cluster))};
    const bool same = (*context)->certificate().fingerprint() == current_->certificate().fingerprint() &&
                      (*context)->authority().fingerprint() == current_->authority().fingerprint();
    if (same)
        return std::nullopt;
    current_ = std::move(*context);
    warned_.reset();
    return Note{false, fmt::format("took up a renewed certificate: {}", validity_text(current_->certificate()))};
}

std::optional<TlsCredentials::Note> TlsCredentials::expiry(WallTime at)
{
    if (warned_ && at - *warned_ < warn_interval && at >= *warned_)
        return std::nullopt;
    for (const auto* certificate : {&current_->certificate(), &current_->authority()})
        if (auto warning = pki::expiry_warning(*certificate, at)) {
            warned_ = at;
            return Note{true, *warning + "; renew it with jadmin pki renew"};
        }
    return std::nullopt;
}

asio::awaitable<void> TlsCredentials::watch(std::shared_ptr<TlsCredentials> credentials, Log log)
{
    for (;;) {
        if (auto note = credentials->refresh())
            log(*note);
        if (auto note = credentials->expiry(wall_now()))
            log(*note);
        const bool waited = co_await daemon::sleep_for(look_interval);
        if (!waited)
            co_return;
    }
}

// --- TlsSessions ---

void TlsSessions::keep(const std::string& address, std::shared_ptr<SSL_SESSION> session, TlsContextPtr made_with)
{
    kept_[address] = {std::move(session), std::move(made_with)};
}

std::shared_ptr<SSL_SESSION> TlsSessions::find(const std::string& address, const TlsContext& context) const
{
    const auto found = kept_.find(address);
    if (found == kept_.end() || found->second.made_with.get() != &context || SSL_SESSION_is_resumable(found->second.session.get()) != 1)
        return nullptr;
    // The peer's certificate is not shown again: it must be good today.
    auto* peer = SSL_SESSION_get0_peer(found->second.session.get());
    if (!peer || !pki::check_validity(pki::Certificate::share(peer), wall_now()))
        return nullptr;
    return found->second.session;
}

} // namespace jarvis::wire
