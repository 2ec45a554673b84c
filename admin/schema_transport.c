/* What an endpoint's attempts show and trust: authentication and certificates. */
#include "admin/schemas.h"

#include "base/bounds.h"
#include "store/transport.h"

/* ---- authentication ---- */

static const struct schema user = {
    .kind = SCHEMA_TEXT, .min = 1, .max = AUTH_USER_MAX, .example = "\"surehook\""};
static const struct schema secret = {.kind = SCHEMA_TEXT,
                                     .about = "Written once, never shown.",
                                     .max = AUTH_SECRET_MAX,
                                     .example = "\"correct horse battery staple\""};
static const struct schema client_secret = {.kind = SCHEMA_TEXT,
                                            .about = "Written once, never shown.",
                                            .min = 1,
                                            .max = AUTH_SECRET_MAX,
                                            .example = "\"correct horse battery staple\""};
static const struct schema token_url = {
    .kind = SCHEMA_TEXT,
    .about = "Where access tokens are fetched. The rules are those of an endpoint's URL.",
    .min = 1,
    .max = URL_MAX,
    .format = "uri",
    .example = "\"https://login.example.com/oauth2/token\""};
static const struct schema client_auth = {
    .kind = SCHEMA_CHOICE,
    .name = "ClientAuthentication",
    .about = "How the client shows its secret: in the header of the token request, or in its body.",
    .choice = transport_client_auth_name};
static const struct schema scope = {.kind = SCHEMA_TEXT,
                                    .about = "Names with spaces between them.",
                                    .min = 1,
                                    .max = AUTH_SCOPE_MAX,
                                    .example = "\"hooks:write\""};
static const struct schema audience = {.kind = SCHEMA_TEXT,
                                       .about = "For servers that ask for it.",
                                       .min = 1,
                                       .max = AUTH_SCOPE_MAX,
                                       .example = "\"https://warehouse.example.com\""};

static const char *basic_choice(unsigned i)
{
    return i == 0 ? transport_auth_name(AUTH_BASIC) : NULL;
}
static const char *oauth2_choice(unsigned i)
{
    return i == 0 ? transport_auth_name(AUTH_OAUTH2) : NULL;
}
static const struct schema basic_type = {.kind = SCHEMA_CHOICE, .choice = basic_choice};
static const struct schema oauth2_type = {.kind = SCHEMA_CHOICE, .choice = oauth2_choice};
static const struct schema any_type = {.kind = SCHEMA_CHOICE, .choice = transport_auth_name};

static const struct schema_field basic_fields[] = {
    FIELD_MUST("type", basic_type, NULL),
    FIELD_MUST("username", user, "Without a colon."),
    FIELD_MUST("password", secret, NULL),
    FIELD_END,
};
static const struct schema basic_in = {.kind = SCHEMA_OBJECT,
                                       .name = "EndpointBasicAuthenticationIn",
                                       .about = "HTTP Basic authentication (RFC 7617).",
                                       .fields = basic_fields};
static const struct schema_field oauth2_fields[] = {
    FIELD_MUST("type", oauth2_type, NULL),
    FIELD_MUST("tokenUrl", token_url, NULL),
    FIELD_MUST("clientId", user, NULL),
    FIELD_MUST("clientSecret", client_secret, NULL),
    FIELD_MAY_NULL("clientAuthentication", client_auth, NULL),
    FIELD_MAY_NULL("scope", scope, NULL),
    FIELD_RARE_NULL("audience", audience, NULL),
    FIELD_END,
};
static const struct schema oauth2_in = {
    .kind = SCHEMA_OBJECT,
    .name = "EndpointOauth2AuthenticationIn",
    .about = "The client credentials grant of OAuth 2 (RFC 6749 section 4.4).",
    .fields = oauth2_fields};
const struct schema schema_endpoint_auth_in = {
    .kind = SCHEMA_EITHER, .item = &basic_in, .other = &oauth2_in};

static const struct schema_field auth_out_fields[] = {
    FIELD_MUST("type", any_type, NULL),
    {"username", &user, SCHEMA_REQUIRED | SCHEMA_NULLABLE, "Of Basic authentication.", "null"},
    FIELD_MUST_NULL("tokenUrl", token_url, NULL),
    FIELD_MUST_NULL("clientId", user, NULL),
    FIELD_MUST_NULL("clientAuthentication", client_auth, NULL),
    FIELD_MUST_NULL("scope", scope, NULL),
    FIELD_MUST_NULL("audience", audience, NULL),
    FIELD_END,
};
const struct schema schema_endpoint_auth_out = {
    .kind = SCHEMA_OBJECT, .name = "EndpointAuthenticationOut", .fields = auth_out_fields};

/* ---- certificates ---- */

#define EXAMPLE_CERTIFICATE                                               \
    "-----BEGIN CERTIFICATE-----\\n"                                      \
    "MIIBezCCASGgAwIBAgIUdRIE+lSY9y+dxS5NIHtp6GnMlkwwCgYIKoZIzj0EAwIw\\n" \
    "EjEQMA4GA1UEAwwHZXhhbXBsZTAgFw0yNjExMjExNzQwMDBaGA8yMTI2MTAyODE3\\n" \
    "NDAwMFowEjEQMA4GA1UEAwwHZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEH\\n" \
    "A0IABMN3r6BHaZ8e69/do0qwIGjwG4MoFN1tjDsLB8DJUU1Ebu8S13ZTFEzMr20F\\n" \
    "nb3RjW5Y9w4PEAQ+bNbNuC/Z+f6jUzBRMB0GA1UdDgQWBBTsR/jYA2orThj0xGAN\\n" \
    "ZMpio16eCjAfBgNVHSMEGDAWgBTsR/jYA2orThj0xGANZMpio16eCjAPBgNVHRMB\\n" \
    "Af8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIFZujkwFBEZsMkrLzC507HP7mA6K\\n" \
    "bsgRNBzlWpMCVKmeAiEA6ueEri3HVbhqRVzhOCmvatLWRRGmWtnU0Iq12fRCGdw=\\n" \
    "-----END CERTIFICATE-----\\n"

static const struct schema trusted = {
    .kind = SCHEMA_TEXT,
    .about = "One or more certificates in PEM, which alone are trusted, instead of the service's.",
    .min = 1,
    .max = TLS_CA_MAX,
    .example = "\"" EXAMPLE_CERTIFICATE "\""};
static const struct schema own = {.kind = SCHEMA_TEXT,
                                  .about =
                                      "The client certificate in PEM, behind it its chain, if any.",
                                  .min = 1,
                                  .max = TLS_CERTIFICATE_MAX,
                                  .example = "\"" EXAMPLE_CERTIFICATE "\""};
static const struct schema key = {
    .kind = SCHEMA_TEXT,
    .about =
        "The client certificate's key in PEM, without a passphrase. Written once, never shown.",
    .min = 1,
    .max = TLS_KEY_MAX};

static const struct schema_field tls_in_fields[] = {
    FIELD_MAY_NULL("caCertificate", trusted, NULL),
    FIELD_RARE_NULL("clientCertificate", own, NULL),
    FIELD_RARE_NULL("clientKey", key, NULL),
    FIELD_END,
};
const struct schema schema_endpoint_tls_in = {
    .kind = SCHEMA_OBJECT,
    .name = "EndpointTlsIn",
    .about = "Authorities, or a client certificate with its key, or all. Replaces what was.",
    .fields = tls_in_fields};

static const struct schema_field certificate_fields[] = {
    {"subject", &schema_text, SCHEMA_REQUIRED, NULL, "\"CN=example\""},
    {"issuer", &schema_text, SCHEMA_REQUIRED, NULL, "\"CN=example\""},
    FIELD_MUST("notBefore", schema_time, NULL),
    FIELD_MUST("notAfter", schema_time, "When it ends."),
    FIELD_END,
};
static const struct schema certificate = {
    .kind = SCHEMA_OBJECT, .name = "CertificateOut", .fields = certificate_fields};
static const struct schema certificates = {.kind = SCHEMA_LIST, .item = &certificate};
static const struct schema_field tls_out_fields[] = {
    FIELD_MUST_NULL("caCertificate", trusted, NULL),
    FIELD_MUST("caCertificates", certificates, "What it holds."),
    {"clientCertificate", &own, SCHEMA_REQUIRED | SCHEMA_NULLABLE, NULL, "null"},
    {"clientCertificates", &certificates, SCHEMA_REQUIRED, "What it holds, its own first.", "[]"},
    FIELD_END,
};
const struct schema schema_endpoint_tls_out = {
    .kind = SCHEMA_OBJECT, .name = "EndpointTlsOut", .fields = tls_out_fields};
