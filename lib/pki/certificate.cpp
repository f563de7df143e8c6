#include "pki/certificate.hpp"

#include "base/escape.hpp"
#include "pki/files.hpp"
#include "pki/openssl.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <ctime>

namespace jarvis::pki {

namespace {

BioPtr memory(std::string_view text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

std::string content(BIO* bio)
{
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

// No pass phrase is asked for at a terminal: a daemon has none.
int no_pass_phrase(char*, int, int, void*) { return -1; }

WallTime wall_time(const ASN1_TIME* time)
{
    std::tm fields{};
    if (!time || ASN1_TIME_to_tm(time, &fields) != 1)
        return {};
    return WallTime(std::chrono::seconds(::timegm(&fields)));
}

} // namespace

// --- Key ---

Result<Key> Key::generate()
{
    std::shared_ptr<EVP_PKEY> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    if (!key)
        return std::unexpected(openssl_error("cannot make a key"));
    return Key(std::move(key));
}

Result<Key> Key::from_pem(std::string_view pem, std::string_view where)
{
    auto bio = memory(pem);
    std::shared_ptr<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, nullptr), EVP_PKEY_free);
    if (!key)
        return std::unexpected(openssl_error(fmt::format("{} holds no private key that can be read", where), Errc::corrupt));
    return Key(std::move(key));
}

Result<Key> Key::read(const std::string& path)
{
    auto pem = read_private_file(path);
    if (!pem)
        return std::unexpected(std::move(pem.error()));
    return from_pem(*pem, path);
}

Result<std::string> Key::to_pem() const
{
    BioPtr bio(BIO_new(BIO_s_mem()));
    if (PEM_write_bio_PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return std::unexpected(openssl_error("cannot write a key"));
    return content(bio.get());
}

// --- Certificate ---

Certificate Certificate::share(x509_st* certificate)
{
    X509_up_ref(certificate);
    return Certificate(std::shared_ptr<X509>(certificate, X509_free));
}

Result<Certificate> Certificate::from_pem(std::string_view pem, std::string_view where)
{
    auto bio = memory(pem);
    std::shared_ptr<X509> certificate(PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr), X509_free);
    if (!certificate)
        return std::unexpected(openssl_error(fmt::format("{} holds no certificate", where), Errc::corrupt));
    return Certificate(std::move(certificate));
}

Result<Certificate> Certificate::from_der(std::string_view der)
{
    auto* data = reinterpret_cast<const unsigned char*>(der.data());
    std::shared_ptr<X509> certificate(d2i_X509(nullptr, &data, static_cast<long>(der.size())), X509_free);
    if (!certificate)
        return std::unexpected(openssl_error("these bytes are no certificate", Errc::corrupt));
    return Certificate(std::move(certificate));
}

Result<Certificate> Certificate::read(const std::string& path)
{
    auto pem = read_file(path);
    if (!pem)
        return std::unexpected(std::move(pem.error()));
    return from_pem(*pem, path);
}

Result<std::string> Certificate::to_pem() const
{
    BioPtr bio(BIO_new(BIO_s_mem()));
    if (PEM_write_bio_X509(bio.get(), get()) != 1)
        return std::unexpected(openssl_error("cannot write a certificate"));
    return content(bio.get());
}

std::string Certificate::to_der() const
{
    const int size = i2d_X509(get(), nullptr);
    if (size <= 0)
        return {};
    std::string der(static_cast<std::size_t>(size), '\0');
    auto* data = reinterpret_cast<unsigned char*>(der.data());
    i2d_X509(get(), &data);
    return der;
}

Result<Identity> Certificate::identity() const
{
    NamesPtr names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(get(), NID_subject_alt_name, nullptr, nullptr)));
    std::optional<Identity> found;
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const auto* one = sk_GENERAL_NAME_value(names.get(), i);
        if (one->type != GEN_URI)
            continue;
        const auto* uri = one->d.uniformResourceIdentifier;
        auto identity = parse_uri({reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                                   static_cast<std::size_t>(ASN1_STRING_length(uri))});
        if (!identity)
            continue;
        if (found)
            return fail(Errc::corrupt, "the certificate names two parts of a cluster");
        found = std::move(*identity);
    }
    if (!found)
        return fail(Errc::corrupt, "the certificate names no part of a Jarvis cluster");
    return std::move(*found);
}

std::string Certificate::cluster_name() const
{
    auto* subject = X509_get_subject_name(get());
    const int at = X509_NAME_get_index_by_NID(subject, NID_organizationName, -1);
    if (at < 0)
        return {};
    const auto* text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    std::string name(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<std::size_t>(ASN1_STRING_length(text)));
    return is_cluster_name(name) ? name : std::string();
}

WallTime Certificate::not_before() const { return wall_time(X509_get0_notBefore(get())); }
WallTime Certificate::not_after() const { return wall_time(X509_get0_notAfter(get())); }

std::string Certificate::fingerprint() const
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    std::string text;
    if (X509_digest(get(), EVP_sha256(), digest, &size) == 1)
        for (unsigned i = 0; i < size; ++i)
            text += fmt::format("{}{:02x}", i > 0 ? ":" : "", digest[i]);
    return text;
}

bool Certificate::belongs_to(const Key& key) const
{
    const bool fits = X509_check_private_key(get(), key.get()) == 1;
    ERR_clear_error(); // that it does not fit is an answer
    return fits;
}

bool Certificate::is_signed_by(const Certificate& authority) const
{
    const bool good = X509_verify(get(), X509_get0_pubkey(authority.get())) == 1;
    ERR_clear_error();
    return good;
}

std::string describe(const Certificate& certificate)
{
    if (auto identity = certificate.identity())
        return "certificate of " + describe(*identity);
    std::string subject(256, '\0');
    X509_NAME_oneline(X509_get_subject_name(certificate.get()), subject.data(), static_cast<int>(subject.size()));
    return "certificate of \"" + escape_for_terminal(subject.c_str()) + "\"";
}

} // namespace jarvis::pki
