// What OpenSSL's callbacks know of one connection. For the files of the TLS channel.
#pragma once

#include "wire/tls_context.hpp"

#include <openssl/ssl.h>

namespace jarvis::wire {

struct TlsHandshake {
    pki::Expected expected;
    std::optional<jarvis::Error> refused; // why the peer's certificate is
    std::function<void(std::shared_ptr<SSL_SESSION>)> on_session;
};

// The object is to outlive the SSL.
void attach(SSL* ssl, TlsHandshake* handshake);
TlsHandshake* attached(const SSL* ssl);

// Of contexts: the check of a peer's certificate, tickets, sessions.
void set_callbacks(SSL_CTX* context);

} // namespace jarvis::wire
