#include "wire/tls_handshake.hpp"

#include "wire/clocks.hpp"

namespace jarvis::wire {

namespace {

int handshake_index()
{
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

// The number by which OpenSSL chooses the alert, so that the peer can say the reason in its log too (tls_channel.cpp).
int reason_for_alert(const jarvis::Error& error, const pki::Certificate& peer, const pki::Expected& expected)
{
    if (error.code == Errc::unavailable)
        return wall_now() < peer.not_before() ? X509_V_ERR_CERT_NOT_YET_VALID : X509_V_ERR_CERT_HAS_EXPIRED;
    const auto identity = peer.identity();
    if (error.code == Errc::invalid && identity && identity->cluster == expected.cluster)
        return X509_V_ERR_INVALID_PURPOSE;
    return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
}

int verify(int fine, X509_STORE_CTX* store)
{
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* handshake = attached(ssl);
    auto* leaf = X509_STORE_CTX_get0_cert(store);
    if (!handshake || !leaf)
        return 0;
    if (fine == 1 && X509_STORE_CTX_get_error_depth(store) > 0)
        return 1; // the authority; the peer itself comes after it
    const auto peer = pki::Certificate::share(leaf);
    Result<void> checked;
    const int error = fine == 1 ? X509_V_OK : X509_STORE_CTX_get_error(store);
    if (error != X509_V_OK && X509_STORE_CTX_get_error_depth(store) > 0)
        if (auto* authority = X509_STORE_CTX_get_current_cert(store))
            checked = pki::check_validity(pki::Certificate::share(authority), wall_now());
    if (checked)
        checked = pki::check_peer(peer, handshake->expected, wall_now(), error);
    if (checked)
        return 1;
    handshake->refused = checked.error();
    X509_STORE_CTX_set_error(store, reason_for_alert(checked.error(), peer, handshake->expected));
    return 0;
}

// The certificate of a session was checked when the session was made. If it would not pass now, a whole handshake says why.
SSL_TICKET_RETURN ticket_decrypted(SSL* ssl, SSL_SESSION* session, const unsigned char*, std::size_t, SSL_TICKET_STATUS status, void*)
{
    if (status == SSL_TICKET_EMPTY || status == SSL_TICKET_NO_DECRYPT)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    auto* handshake = attached(ssl);
    auto* peer = session ? SSL_SESSION_get0_peer(session) : nullptr;
    if (!handshake || !peer || !pki::check_peer(pki::Certificate::share(peer), handshake->expected, wall_now()))
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return SSL_TICKET_RETURN_USE_RENEW;
}

int ticket_made(SSL*, void*) { return 1; }

int session_made(SSL* ssl, SSL_SESSION* session)
{
    // A copy: OpenSSL spoils its own when a connection ends without a farewell.
    if (auto* handshake = attached(ssl); handshake && handshake->on_session)
        if (auto* copy = SSL_SESSION_dup(session))
            handshake->on_session(std::shared_ptr<SSL_SESSION>(copy, SSL_SESSION_free));
    return 0;
}

} // namespace

void attach(SSL* ssl, TlsHandshake* handshake) { SSL_set_ex_data(ssl, handshake_index(), handshake); }

TlsHandshake* attached(const SSL* ssl) { return static_cast<TlsHandshake*>(SSL_get_ex_data(ssl, handshake_index())); }

void set_callbacks(SSL_CTX* context)
{
    (void)handshake_index(); // before there are threads that use it
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, verify);
    SSL_CTX_set_session_ticket_cb(context, ticket_made, ticket_decrypted, nullptr);
    SSL_CTX_sess_set_new_cb(context, session_made);
}

} // namespace jarvis::wire
