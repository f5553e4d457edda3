#include "exec/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>

#include "os/fs.h"

#define MAX_REDIRECTS     10L
#define CONNECT_TIMEOUT_S 30L
/* A server that sends less than this for so long is given up. */
#define SLOW_BYTES        1L
#define SLOW_S            60L

static void setup(CURL *curl, const char *url, FILE *to, char *message)
{
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https,file");
	/* A server must not be able to have us read local files. */
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, MAX_REDIRECTS);
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, SLOW_S);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, to);
}

static bool is_transient(CURLcode code, long status)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return true;
	default:
		return code == CURLE_HTTP_RETURNED_ERROR && status >= 500;
	}
}

static bool download(const char *url, FILE *to, struct err *err)
{
	char message[CURL_ERROR_SIZE] = "";
	CURL *curl = curl_easy_init();
	if (!curl)
		return err_set(err, ERR_ENVIRONMENT, "libcurl cannot be used");
	setup(curl, url, to, message);
	CURLcode code = curl_easy_perform(curl);
	long status = 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	if (code == CURLE_OK)
		return true;
	return err_set(err, is_transient(code, status) ? ERR_TRANSIENT : ERR_USER, "cannot fetch \"%s\": %s", url,
	               *message ? message : curl_easy_strerror(code));
}

static bool check(const char *url, const struct digest *want, const char *out, struct err *err)
{
	struct digest have;
	uint64_t size;
	if (!digest_of_file(out, &have, &size, err))
		return false;
	if (digest_eq(&have, want))
		return true;
	char hex[DIGEST_HEX + 1];
	digest_hex(want, hex);
	err_set(err, ERR_USER, "\"%s\" is not what was declared: its SHA-256 is not %s", url, hex);
	digest_hex(&have, hex);
	err_note(err, "it has %llu bytes and the SHA-256 %s; declare that one if the file is the right one",
	         (unsigned long long)size, hex);
	return false;
}

bool fetch_file(const char *url, const struct digest *want, const char *out, struct err *err)
{
	FILE *to = fopen(out, "wbe");
	if (!to)
		return err_sys(err, ERR_ENVIRONMENT, "cannot write \"%s\"", out);
	bool ok = download(url, to, err);
	if (fclose(to) != 0 && ok)
		ok = err_sys(err, ERR_ENVIRONMENT, "cannot write \"%s\"", out);
	ok = ok && check(url, want, out, err);
	if (!ok)
		fs_remove(out, NULL);
	return ok;
}
