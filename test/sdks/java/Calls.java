import java.util.concurrent.Callable;

/** What the scripts of all Java SDKs share: each call is tried, and told on a line of its own as JSON. */
class Calls {
  static final String url = System.getenv("SENDONCE_URL");
  static final String key = System.getenv("SENDONCE_KEY");
  static final String lossy = System.getenv("LOSSY_URL");
  static final String label = System.getenv("SDK");

  static void told(String call, boolean ok, String said) {
    String words = said.replaceAll("[\\\\\"\\p{Cntrl}]", " ");
    System.out.printf("{\"call\":\"%s\",\"ok\":%s,\"said\":\"%s\"}%n", call, ok, words);
  }

  static void attempt(String call, Callable<Boolean> work) {
    try {
      told(call, work.call(), "");
    } catch (Exception error) {
      told(call, false, wordsOf(error));
    }
  }

  static void refused(String call, Callable<?> work, String words) {
    try {
      told(call, false, "was not refused: " + work.call());
    } catch (Exception error) {
      told(call, wordsOf(error).contains(words), wordsOf(error));
    }
  }

  static boolean fails(Callable<?> work) {
    try {
      work.call();
      return false;
    } catch (Exception error) {
      return true;
    }
  }

  /** The generated clients keep the answer's body apart from their message. */
  private static String wordsOf(Exception error) {
    try {
      return error + " " + error.getClass().getMethod("getResponseBody").invoke(error);
    } catch (ReflectiveOperationException none) {
      return error.toString();
    }
  }
}
