/* Every limit, with its reason. Limits that an operator may move are options (cli/config.c) whose
 * ranges stay within these. */
#ifndef BASE_BOUNDS_H
#define BASE_BOUNDS_H

/* HTTP requests. */
#define HEAD_MAX (8 * 1024) /* request line and headers: SDKs send under 1 KiB */
#define HEADERS_MAX 100     /* header lines */
/* libmicrohttpd clears it for every request: as small as the head allows. */
#define CONNECTION_MEMORY (20 * 1024)
#define MESSAGE_BODY_MAX (1024 * 1024)
#define BATCH_BODY_MAX (16 * 1024 * 1024)
#define ADMIN_BODY_MAX (256 * 1024)
/* Request bodies in memory, in all; one alone may have half, and the largest is 64 MiB. */
#define REQUEST_BYTES_MAX (128 * 1024 * 1024)
#define REQUEST_MEMORY_MAX (1024 * 1024) /* what one handler may allocate beside its body */
#define KEEP_ALIVE_S 75   /* an idle connection; clients' pools give up after 5 to 60 s */
#define REPLY_SEND_S 120  /* for a client to read its reply */
#define JSON_DEPTH_MAX 64 /* real events nest under 10; a parser's stack must not be the client's */
#define REPLY_MAX (32 * 1024 * 1024) /* a page of 250 messages with payload is cut to fit */
/* Replies in memory until their clients have read them, in all; one alone may have half. */
#define REPLY_BYTES_MAX (128 * 1024 * 1024)
#define REPLY_SMALL (16 * 1024) /* bounded by the number of connections */

/* Entities. */
#define NAME_MAX_LEN 256 /* uid, eventId, event type, channel, ordering key */
#define UID_MAX 256
#define EVENT_ID_MAX 256
#define EVENT_TYPE_MAX 256
#define CHANNEL_MAX 128
#define MESSAGE_CHANNELS_MAX 5
#define ENDPOINT_CHANNELS_MAX 10
#define ENDPOINT_FILTERS_MAX 256 /* event types in one endpoint's filter */
#define TAGS_MAX 8
#define EVENT_TYPE_FLAGS_MAX 16 /* feature flags of an event type */
#define PORTAL_TOKENS_MAX 1000  /* live ones of an application; one more ends the oldest */
#define PORTAL_SESSIONS_MAX 100 /* named in one request */
#define FEATURE_FLAGS_BYTES 512 /* of a token, with a comma between two */
#define CONSUMERS_MAX 1000      /* of the pollers of one application */
#define WATCHES_MAX 1000        /* requests that wait for messages: each holds a connection */
#define WATCHES_PER_APP_MAX 100
#define POLL_WAIT_MAX_S 30 /* proxies give up after 60 */
#define DESCRIPTION_MAX 4096
#define METADATA_MAX 4096         /* bytes of JSON */
#define ENDPOINT_HEADERS_MAX 4096 /* bytes of JSON */
#define URL_MAX 2048
#define AUTH_USER_MAX 256
#define AUTH_SECRET_MAX 1024
#define AUTH_SCOPE_MAX 1024
#define TLS_CA_MAX (16 * 1024) /* PEM: a private authority's few, not a system's bundle */
#define TLS_CERTIFICATE_MAX (16 * 1024)
#define TLS_KEY_MAX (8 * 1024) /* an RSA key of 8,192 bits has 6.5 KiB */
#define SIGNING_KEYS_MAX 11    /* the newest and at most 10 old ones that still sign */
#define SIGNING_KEY_MAX 96     /* bytes of an encoded secret: ed25519 has 64 */
#define BATCH_MESSAGES_MAX 1000
#define PAGE_MAX 250            /* limit of a list */
#define RATE_MAX 65535          /* of anything by the second: SDKs keep rates in 16 bits */
#define AGGREGATE_APPS_MAX 1000 /* applications named in a request for their usage */
#define TASK_RESULTS_MAX 65536 /* rows of a task's result, each under 400 bytes: within REPLY_MAX */
#define IMPORT_TYPES_MAX 1000  /* event types of an import: one commit */
#define IMPORT_BODY_MAX (4 * 1024 * 1024)
/* Bytes that the schemas of a request may cost. */
#define SCHEMA_WORK_MAX ((size_t)64 * 1024 * 1024)

/* CloudEvents and traces. */
#define IDEMPOTENCY_KEPT_S (12 * 3600) /* explicit keys, and the identity of a CloudEvent */
#define CLOUD_ATTRIBUTES_MAX 64        /* context attributes of a CloudEvent */
#define CLOUD_ATTRIBUTE_NAME_MAX 64    /* the specification asks producers for 20 */
#define CLOUD_ATTRIBUTES_BYTES 4096    /* of them all as JSON: they may become headers */
#define TRACEPARENT_MAX 128            /* version 00 has 55; later ones may be longer */
#define TRACESTATE_MAX 512             /* what W3C Trace Context asks to pass on */

/* Store. */
#define COMMIT_ROWS_MAX 4000  /* rows a commit: larger work is cut into steps */
#define STEP_ROWS_MAX 500     /* rows a background step adds to a commit */
#define READ_ROWS_MAX 1000    /* rows a list may look at */
#define READ_US_MAX 100000    /* and for how long: an old snapshot pins free pages */
#define WRITER_QUEUE_MAX 8192 /* operations waiting for the writer, however cheap they are */
#define INLINE_BYTES_MAX 1900 /* a value that fits a leaf page; longer bodies are cut into chunks */

/* Delivery. */
#define ATTEMPT_BODY_READ_MAX (64 * 1024) /* of a response, then the connection is closed */
#define ATTEMPT_BODY_KEPT_MAX (16 * 1024)
#define RESPONSE_HEADERS_MAX (64 * 1024)
/* libcurl keeps about 150 bytes for a line, however short; common clients take 100 lines. */
#define RESPONSE_HEADER_LINES_MAX 256
#define TOKEN_ANSWER_MAX (64 * 1024)  /* of an authorization server, for an access token */
#define ACCESS_TOKEN_MAX (8 * 1024)   /* receivers take heads of 8 to 16 KiB */
#define RETRY_AFTER_MAX_S (24 * 3600) /* a subscriber may not park its deliveries for longer */
#define ATTEMPT_TIMEOUT_MAX_S 300     /* an attempt holds a slot for so long at most */
#define FRESH_SHARE_MAX 90            /* percent of attempts: the oldest must not starve either */
#define READY_MAX \
    512 /* deliveries in memory per endpoint, waiting for their turn: at 64 three
                         quarters of a saturated endpoint's went through the disk */
#define HOT_BYTES_MAX (48 * 1024 * 1024) /* bodies in memory for hot hand-off, in all */

#endif
