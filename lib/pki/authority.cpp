#include "pki/authority.hpp"

#include "pki/openssl.hpp"

namespace jarvis::pki {

namespace {

constexpr long x509_version_3 = 2;
constexpr int serial_bits = 127;            // positive, and at most the 20 bytes of RFC 5280
constexpr std::size_t longest_common_name = 64; // ub-common-name of RFC 5280

bool set_time(ASN1_TIME* field, WallTime time)
{
    return ASN1_TIME_set(field, std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count()) != nullptr;
}

bool set_serial(X509* certificate)
{
    BigNumberPtr number(BN_new());
    return number && BN_rand(number.get(), serial_bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
           BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool add_name(X509_NAME* name, const char* field, std::string_view value)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                                      static_cast<int>(value.size()), -1, 0) == 1;
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

struct Content {
    const Identity& identity;
    std::string_view cluster_name;
    const Validity& validity;
};

Result<Certificate> make(const Content& content, const Key& key, X509* issuer, const Key& signer)
{
    std::shared_ptr<X509> made(X509_new(), X509_free);
    if (!made)
        return std::unexpected(openssl_error("cannot make a certificate"));
    auto* certificate = made.get();
    const bool authority = !issuer;
    if (authority)
        issuer = certificate;
    auto* subject = X509_get_subject_name(certificate);
    const auto common = describe(content.identity).substr(0, longest_common_name);
    const bool filled =
        X509_set_version(certificate, x509_version_3) == 1 && set_serial(certificate) &&
        set_time(X509_getm_notBefore(certificate), content.validity.from) &&
        set_time(X509_getm_notAfter(certificate), content.validity.until) && add_name(subject, "O", content.cluster_name) &&
        add_name(subject, "CN", common) && X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
        X509_set_pubkey(certificate, key.get()) == 1 &&
        add_extension(certificate, issuer, NID_basic_constraints, authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
        add_extension(certificate, issuer, NID_key_usage, authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
        // A node is client of its controller and server of its peers' steps.
        (authority || add_extension(certificate, issuer, NID_ext_key_usage, "serverAuth,clientAuth")) &&
        add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
        add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always") &&
        add_extension(certificate, issuer, NID_subject_alt_name, "URI:" + to_uri(content.identity));
    if (!filled || X509_sign(certificate, signer.get(), EVP_sha256()) == 0)
        return std::unexpected(openssl_error(fmt::format("cannot make a certificate of {}", describe(content.identity))));
    return Certificate(std::move(made));
}

} // namespace

Result<Certificate> make_authority(const Key& key, const Identity& identity, const Validity& validity)
{
    return make({identity, identity.name, validity}, key, nullptr, key);
}

Result<Certificate> issue(const SignedBy& authority, const Key& key, const Identity& identity, const Validity& validity)
{
    const Validity within{validity.from, std::min(validity.until, authority.certificate.not_after())};
    const auto cluster = authority.certificate.cluster_name();
    return make({identity, cluster, within}, key, authority.certificate.get(), authority.key);
}

} // namespace jarvis::pki
