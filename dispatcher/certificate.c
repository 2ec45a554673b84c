/* Why read block by block: OpenSSL's readers of one kind pass over blocks of another without a
 * word, so that a key pasted among certificates would be taken and lost, or kept where certificates
 * are shown.
 *
 * Invariant: OpenSSL never asks for a passphrase at the terminal; its error queue is left empty. */
#include "dispatcher/certificate.h"

#include "base/bounds.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* What OpenSSL asks of keys and signatures in TLS at its default level here: 2. */
#define SECURITY_BITS_MIN 112

#define NOT_CERTIFICATES "must be certificates in PEM and nothing else"
#define NO_KEY "must be a private key in PEM, without a passphrase"

/* What OpenSSL failed for: ERR_NO_MEMORY, or else `otherwise`. Empties its error queue. */
static enum err failed(enum err otherwise)
{
    enum err e = otherwise;
    for (unsigned long code; (code = ERR_get_error());)
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
            e = ERR_NO_MEMORY;
    return e;
}

/* ---------------------------------------------------------------- blocks */

/* The next block of PEM: its label, and its bytes, to be freed. ERR_NOT_FOUND at the end. */
static enum err block_next(BIO *in, char **label, unsigned char **bytes, long *len)
{
    char *header = NULL;
    *label = NULL;
    *bytes = NULL;
    ERR_clear_error();
    if (PEM_read_bio(in, label, &header, bytes, len) == 1) {
        const bool plain = !header || !*header;
        OPENSSL_free(header);
        return plain ? ERR_OK : ERR_INVALID;
    }
    const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    return failed(ended ? ERR_NOT_FOUND : ERR_INVALID);
}

static void block_free(char *label, unsigned char *bytes, long len)
{
    OPENSSL_free(label);
    OPENSSL_clear_free(bytes, len > 0 ? (size_t)len : 0);
}

static enum err certificate_next(BIO *in, X509 **out)
{
    char *label;
    unsigned char *bytes;
    long len = 0;
    *out = NULL;
    enum err e = block_next(in, &label, &bytes, &len);
    if (!e) {
        const unsigned char *at = bytes;
        const bool named = strcmp(label, PEM_STRING_X509) == 0;
        *out = named ? d2i_X509(NULL, &at, len) : NULL;
        if (!*out || at != bytes + len)
            e = failed(ERR_INVALID);
    }
    block_free(label, bytes, len);
    return e;
}

/* Calls `each`, which takes the certificate over, until it fails or all were read. ERR_NOT_FOUND:
 * there was none. */
static enum err walk(struct span pem, enum err (*each)(void *context, X509 *certificate),
                     void *context)
{
    BIO *in = pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
    unsigned count = 0;
    enum err e = in ? ERR_OK : ERR_NO_MEMORY;
    while (!e) {
        X509 *certificate;
        e = certificate_next(in, &certificate);
        if (!e)
            e = each(context, certificate);
        else
            X509_free(certificate);
        count += !e;
    }
    BIO_free(in);
    return e == ERR_NOT_FOUND && count > 0 ? ERR_OK : e;
}

static enum err append(BIO *bio, struct buf *out)
{
    char *text = NULL;
    const long len = BIO_get_mem_data(bio, &text);
    if (len > 0)
        buf_bytes(out, text, (size_t)len);
    return len <= 0 || out->failed ? ERR_NO_MEMORY : ERR_OK;
}

static enum err write_certificate(X509 *certificate, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    enum err e =
        bio && PEM_write_bio_X509(bio, certificate) == 1 ? append(bio, out) : ERR_NO_MEMORY;
    BIO_free(bio);
    return e;
}

/* ---------------------------------------------------------------- trusted */

static enum err take_trusted(void *context, X509 *certificate)
{
    enum err e = write_certificate(certificate, context);
    X509_free(certificate);
    return e;
}

enum err certificate_read_trusted(struct span pem, struct buf *out, const char **why)
{
    enum err e = walk(pem, take_trusted, out);
    *why = NOT_CERTIFICATES;
    return e == ERR_NO_MEMORY || !e ? e : ERR_INVALID;
}

/* ---------------------------------------------------------------- one's own */

struct own {
    X509 *leaf;
    struct buf *out;
};

static enum err take_own(void *context, X509 *certificate)
{
    struct own *own = context;
    enum err e = write_certificate(certificate, own->out);
    if (!own->leaf)
        own->leaf = certificate;
    else
        X509_free(certificate);
    return e;
}

static int no_passphrase(char *out, int size, int writing, void *context)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

/* Parameters of its curve may stand before it, as some tools write them. */
static enum err read_key(struct span pem, EVP_PKEY **out)
{
    BIO *in = pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
    ERR_clear_error();
    *out = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL) : NULL;
    BIO_free(in);
    return *out ? ERR_OK : failed(ERR_INVALID);
}

static enum err write_key(EVP_PKEY *key, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem()); /* wipes what it frees */
    enum err e = bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1
                     ? append(bio, out)
                     : ERR_NO_MEMORY;
    BIO_free(bio);
    ERR_clear_error();
    return e;
}

static bool signs_in_tls(EVP_PKEY *key)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
    case EVP_PKEY_EC:
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
        return true;
    default:
        return false;
    }
}

static bool wall_of(const ASN1_TIME *t, struct wall *out)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(t, &tm) != 1)
        return false;
    out->us = (int64_t)timegm(&tm) * US_PER_S;
    return true;
}

/* A digest that is too weak counts only where somebody relies on it: not on one's own signature. */
static bool weakly_signed(X509 *leaf)
{
    int bits = 0;
    const bool itself = X509_NAME_cmp(X509_get_subject_name(leaf), X509_get_issuer_name(leaf)) == 0;
    return !itself && X509_get_signature_info(leaf, NULL, NULL, &bits, NULL) == 1 &&
           bits < SECURITY_BITS_MIN;
}

/* NULL: TLS would take it. */
static const char *leaf_fault(X509 *leaf, struct wall now)
{
    struct wall ends;
    EVP_PKEY *public = X509_get0_pubkey(leaf);
    if (!public || !signs_in_tls(public))
        return "the certificate's key is of a kind that TLS does not use";
    if (EVP_PKEY_get_security_bits(public) < SECURITY_BITS_MIN)
        return "the certificate's key is too short: use RSA of 2048 bits or an elliptic curve";
    if (weakly_signed(leaf))
        return "the certificate is signed with a digest that is too weak: use SHA-256";
    if (!wall_of(X509_get0_notAfter(leaf), &ends))
        return NOT_CERTIFICATES;
    return ends.us < now.us ? "the certificate has expired" : NULL;
}

static enum err judge_own(X509 *leaf, struct span key, struct wall now, struct buf *key_out,
                          bool *key_failed, const char **why)
{
    ERR_clear_error();
    *why = leaf_fault(leaf, now);
    if (*why)
        return failed(ERR_INVALID);
    *key_failed = true;
    EVP_PKEY *private;
    *why = NO_KEY;
    enum err e = read_key(key, &private);
    if (!e && X509_check_private_key(leaf, private) != 1) {
        *why = "the key does not belong to the certificate";
        e = failed(ERR_INVALID);
    }
    if (!e)
        e = write_key(private, key_out);
    EVP_PKEY_free(private);
    ERR_clear_error();
    return e;
}

enum err certificate_read_own(struct span chain, struct span key, struct wall now,
                              struct buf *chain_out, struct buf *key_out, bool *key_failed,
                              const char **why)
{
    struct own own = {.out = chain_out};
    *key_failed = false;
    *why = NOT_CERTIFICATES;
    enum err e = walk(chain, take_own, &own);
    if (!e)
        e = judge_own(own.leaf, key, now, key_out, key_failed, why);
    X509_free(own.leaf);
    return e == ERR_NO_MEMORY || !e ? e : ERR_INVALID;
}

/* ---------------------------------------------------------------- shown */

struct showing {
    void (*each)(void *context, const struct certificate *c);
    void *context;
};

static void name_out(const X509_NAME *name, char out[CERTIFICATE_NAME_MAX + 1])
{
    BIO *bio = BIO_new(BIO_s_mem());
    int len = 0;
    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
        len = BIO_read(bio, out, CERTIFICATE_NAME_MAX);
    out[len > 0 ? len : 0] = 0;
    BIO_free(bio);
}

static enum err show(void *context, X509 *certificate)
{
    const struct showing *s = context;
    struct certificate c = {.subject = ""};
    name_out(X509_get_subject_name(certificate), c.subject);
    name_out(X509_get_issuer_name(certificate), c.issuer);
    bool good = wall_of(X509_get0_notBefore(certificate), &c.not_before) &&
                wall_of(X509_get0_notAfter(certificate), &c.not_after);
    X509_free(certificate);
    if (good)
        s->each(s->context, &c);
    return good ? ERR_OK : ERR_CORRUPT;
}

enum err certificate_each(struct span pem, void (*each)(void *context, const struct certificate *c),
                          void *context)
{
    struct showing s = {each, context};
    enum err e = walk(pem, show, &s);
    ERR_clear_error();
    return e == ERR_NO_MEMORY || !e ? e : ERR_CORRUPT;
}
