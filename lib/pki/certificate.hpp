// Keys and certificates as values; what they own is shared and never changed.
#pragma once

#include "base/time.hpp"
#include "pki/identity.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct x509_st;      // OpenSSL's X509
struct evp_pkey_st;  // and EVP_PKEY

namespace jarvis::pki {

class Key {
    std::shared_ptr<evp_pkey_st> key_;

public:
    explicit Key(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
    evp_pkey_st* get() const { return key_.get(); }

    static Result<Key> generate(); // EC, curve P-256
    static Result<Key> from_pem(std::string_view pem, std::string_view where);
    static Result<Key> read(const std::string& path);
    Result<std::string> to_pem() const;
};

class Certificate {
    std::shared_ptr<x509_st> certificate_;

public:
    explicit Certificate(std::shared_ptr<x509_st> certificate) : certificate_(std::move(certificate)) {}
    // Of somebody else's object, which it holds from now on.
    static Certificate share(x509_st* certificate);
    x509_st* get() const { return certificate_.get(); }

    static Result<Certificate> from_pem(std::string_view pem, std::string_view where);
    static Result<Certificate> from_der(std::string_view der);
    static Result<Certificate> read(const std::string& path);
    Result<std::string> to_pem() const;
    std::string to_der() const;

    // From the URI in it. Fails with `corrupt`: it is no certificate of a Jarvis cluster.
    Result<Identity> identity() const;
    std::string cluster_name() const; // empty: it does not say
    WallTime not_before() const;
    WallTime not_after() const;
    std::string fingerprint() const; // SHA-256, "3f:a0:..."
    bool belongs_to(const Key& key) const;
    bool is_signed_by(const Certificate& authority) const;
};

// For messages: "certificate of node n1", also of one that says nothing of a cluster.
std::string describe(const Certificate& certificate);

} // namespace jarvis::pki
